/** Says what a data directory holds, from the names of its files, before anything is opened. */
import fs from "node:fs";
import path from "node:path";
import { StartError } from "../../base/errors.js";

/** True if a member has its log there: a start is then no first start. */
export function holdsMember(dataDir: string, walDir: string): boolean {
  return namesIn(walDir || path.join(dataDir, "wal")).some((name) => name.endsWith(".wal"));
}

/** A member of etcd keeps its data in "member". @throws StartError if there are some */
export function refuseEtcdData(dataDir: string): void {
  const folder = path.join(dataDir, "member");
  const names = namesIn(folder);
  if (!names.includes("snap") && !names.includes("wal")) return;
  throw new StartError(
    `"${folder}" is the data of an etcd member, which Lockstep cannot use as it is: stop that etcd and make a member of its data with "lockstep utl migrate" (docs/migrate.md), or choose another --data-dir`,
  );
}

function namesIn(folder: string): string[] {
  try {
    return fs.readdirSync(folder);
  } catch {
    return [];
  }
}
