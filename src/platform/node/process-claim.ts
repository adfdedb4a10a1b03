/**
 * The exclusive right to a data directory among processes that see each other, without help from
 * the kernel. Each process leaves a claim, a file named by process id, start time and boot, and
 * then looks for other claims. It holds the right if no other living process has one; otherwise it
 * withdraws its claim.
 *
 * Of two processes at least one looks when both claims are there, so both never hold the right (two
 * that start at the same moment may both withdraw). A dead process's claim is removed by its name,
 * which no living process shares, so cleaning up after a kill -9 cannot harm another process.
 * Processes of other machines or of other PID namespaces (containers) cannot be seen this way.
 */
import fs from "node:fs";
import path from "node:path";

const prefix = "member.lock.";
const claimPattern = /^member\.lock\.(\d+)\.(\d+|unknown)\.([0-9a-f-]+|unknown)$/;
const claimedHere = new Set<string>();

export type Claim =
  | { readonly kind: "held"; readonly release: () => void }
  | { readonly kind: "taken"; readonly pid: number };

/**
 * Leaves a claim. `taken`: a living process, this one included, has the directory; no claim is left
 * then.
 */
export function claimDirectory(root: string): Claim {
  const boot = bootId();
  const own = `${prefix}${process.pid}.${startTime(process.pid) ?? "unknown"}.${boot}`;
  const file = path.resolve(root, own);
  if (claimedHere.has(file)) return { kind: "taken", pid: process.pid };
  // Without start times, an existing claim of this name is from a process that died before.
  fs.writeFileSync(file, "", { mode: 0o600 });
  claimedHere.add(file);
  const release = (): void => {
    claimedHere.delete(file);
    fs.rmSync(file, { force: true });
  };
  try {
    for (const name of fs.readdirSync(root)) {
      const [, pid, start, claimBoot] = claimPattern.exec(name) ?? [];
      if (pid === undefined || name === own) continue;
      if (claimBoot === boot && isAlive(Number(pid), start as string)) {
        release();
        return { kind: "taken", pid: Number(pid) };
      }
      fs.rmSync(path.join(root, name), { force: true });
    }
  } catch (error) {
    release();
    throw error;
  }
  return { kind: "held", release };
}

/** True if the process that started at `start` still runs. Its id may belong to a younger one. */
function isAlive(pid: number, start: string): boolean {
  const now = startTime(pid);
  if (now !== undefined) return now === start;
  return start === "unknown" && answers(pid);
}

/**
 * Field 22 of /proc/PID/stat: ticks since boot. Undefined: there is no such process, or no /proc.
 */
function startTime(pid: number): string | undefined {
  const stat = readText(`/proc/${pid}/stat`);
  // The name in parentheses may hold spaces, so fields count from behind it. A zombie owns nothing.
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields?.[0] === "Z" ? undefined : fields?.[19];
}

function bootId(): string {
  return readText("/proc/sys/kernel/random/boot_id")?.trim() ?? "unknown";
}

function readText(file: string): string | undefined {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

function answers(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
