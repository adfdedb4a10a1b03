/** `lockstep version`: the form of etcd's, whose first line tools parse. */
import { serverVersion } from "../member/config.js";

export function printVersion(): number {
  process.stdout.write(
    [
      `etcd Version: ${serverVersion}`,
      "Git SHA: lockstep",
      `Go Version: none (Node.js ${process.version})`,
      `Go OS/Arch: ${process.platform}/${process.arch}`,
      "",
    ].join("\n"),
  );
  return 0;
}
