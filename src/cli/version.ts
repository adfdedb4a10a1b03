/**
 * `lockstep version`: prints etcd's form first, because tools parse its first line, then Lockstep's
 * own version.
 */
import { readFileSync } from "node:fs";
import { serverVersion } from "../member/config.js";

export function printVersion(): number {
  process.stdout.write(
    [
      `etcd Version: ${serverVersion}`,
      "Git SHA: lockstep",
      `Go Version: none (Node.js ${process.version})`,
      `Go OS/Arch: ${process.platform}/${process.arch}`,
      `Lockstep Version: ${ownVersion()}`,
      "",
    ].join("\n"),
  );
  return 0;
}

/** The version in the package.json of this file's package. */
export function ownVersion(): string {
  const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}
