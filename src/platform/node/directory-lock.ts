/**
 * The exclusive right to a data directory, without flock (Node has none): the file `member.lock`
 * names the owner by process id and start time. A file whose owner is gone, or whose id now belongs
 * to a younger process, is stale and is taken over; creating it is exclusive, so of two processes
 * that start at once one wins. Within one process a second taker is refused like any other.
 */
import fs from "node:fs";
import path from "node:path";
import { StartError } from "../../base/errors.js";

const lockName = "member.lock";
const attemptsMax = 5;
const takenHere = new Set<string>();

/** @throws StartError when another living process, or another member here, has the directory. */
export function takeDirectory(root: string): () => void {
  const file = path.resolve(root, lockName);
  const self = `${process.pid} ${startTime(process.pid) ?? "unknown"}\n`;
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    try {
      fs.writeFileSync(file, self, { flag: "wx", mode: 0o600 });
      takenHere.add(file);
      return () => {
        takenHere.delete(file);
        fs.rmSync(file, { force: true });
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const owner = livingOwner(file);
    if (owner !== undefined) {
      throw new StartError(
        `the data directory "${root}" is in use by process ${owner}: stop it, or start this member with another --data-dir`,
      );
    }
    discardStale(file);
  }
  throw new StartError(`cannot take the data directory "${root}": others keep taking it`);
}

function livingOwner(file: string): number | undefined {
  const [pidText, start] = readOwner(file).trim().split(" ");
  const pid = Number(pidText);
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  if (pid === process.pid) return takenHere.has(file) ? pid : undefined;
  const now = startTime(pid);
  if (now === undefined) return isAlive(pid) && start === "unknown" ? pid : undefined;
  return now === start ? pid : undefined;
}

function readOwner(file: string): string {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

/** Moves it aside first: if two processes find it stale, only one of them moves this very file. */
function discardStale(file: string): void {
  const aside = `${file}.stale.${process.pid}`;
  try {
    fs.renameSync(file, aside);
    fs.rmSync(aside, { force: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

/** Field 22 of /proc/PID/stat: ticks since boot. Undefined where there is no such process or no /proc. */
function startTime(pid: number): string | undefined {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may hold spaces: count behind it. A zombie owns nothing.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
