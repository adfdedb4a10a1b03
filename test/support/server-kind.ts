/**
 * The servers that tests can start: this project's, and real etcd 3.5 and 3.4 to compare with.
 * A test that needs one that is not here fails in CI (CI=true) and is skipped with a message
 * elsewhere: a comparison must never vanish in silence. LOCKSTEP_COMMAND names another lockstep than
 * the one built here, for example an installed one: "lockstep server".
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export type ServerKind = "lockstep" | "etcd34" | "etcd35";

export const projectRoot: string = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const isCi = process.env.CI === "true";

/** The kind under test: lockstep, unless LOCKSTEP_TEST_SUBJECT names another to try a test on. */
export const subject = (process.env.LOCKSTEP_TEST_SUBJECT ?? "lockstep") as ServerKind;

type Found =
  | { readonly command: string; readonly args: readonly string[]; readonly folder: string }
  | { readonly missing: string };
/** By kind and LOCKSTEP_COMMAND. */
const found = new Map<string, Found>();

function find(kind: ServerKind): Found {
  if (kind === "etcd34") {
    const version = spawnSync("/usr/bin/etcd", ["--version"], { encoding: "utf8" });
    if (version.stdout?.startsWith("etcd Version: 3.4.") !== true) {
      return { missing: "Debian's etcd-server 3.4 is not installed as /usr/bin/etcd" };
    }
    return { command: "/usr/bin/etcd", args: [], folder: "/usr/bin" };
  }
  if (kind === "etcd35") {
    const script = join(projectRoot, "tools/etcd/fetch-3.5.sh");
    const run = spawnSync("sh", [script], { encoding: "utf8", timeout: 300_000 });
    if (run.status !== 0) return { missing: `etcd 3.5 cannot be had: ${run.stderr}` };
    const folder = run.stdout.trim();
    return { command: join(folder, "etcd"), args: [], folder };
  }
  const given = process.env.LOCKSTEP_COMMAND;
  if (given !== undefined) {
    const [command, ...args] = given.split(" ");
    return { command: command ?? "", args, folder: projectRoot };
  }
  const launcher = join(projectRoot, "bin/lockstep");
  const main = join(projectRoot, "dist/cli/main.js");
  if (!existsSync(launcher) || !existsSync(main)) {
    return { missing: "lockstep is not built (bin/lockstep, dist/cli/main.js): npm run build" };
  }
  return { command: process.execPath, args: [launcher, "server"], folder: dirname(launcher) };
}

function lookUp(kind: ServerKind): Found {
  const key = `${kind} ${process.env.LOCKSTEP_COMMAND ?? ""}`;
  let result = found.get(key);
  if (result === undefined) {
    result = find(kind);
    found.set(key, result);
  }
  return result;
}

/** Command and leading arguments of a server. @throws when it is not on this machine. */
export function serverCommand(kind: ServerKind): {
  readonly command: string;
  readonly args: readonly string[];
} {
  const result = lookUp(kind);
  if ("missing" in result) throw new Error(result.missing);
  return result;
}

/** Path of etcdctl 3.5. @throws when it is not on this machine. */
export function etcdctlPath(): string {
  return etcdToolPath("etcd35", "etcdctl");
}

/** Path of a tool that comes with an etcd. @throws when it is not on this machine. */
export function etcdToolPath(kind: "etcd34" | "etcd35", tool: "etcdctl" | "etcdutl"): string {
  const result = lookUp(kind);
  if ("missing" in result) throw new Error(result.missing);
  return join(result.folder, tool);
}

/**
 * For `describe.skipIf`: true when one of `kinds` is missing outside CI. In CI it is false, so that
 * the test runs and fails with the reason.
 */
export function isMissing(...kinds: readonly ServerKind[]): boolean {
  for (const kind of kinds) {
    const result = lookUp(kind);
    if (!("missing" in result)) continue;
    if (isCi) return false;
    console.warn(`SKIPPED, because ${result.missing}`);
    return true;
  }
  return false;
}
