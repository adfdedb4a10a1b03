/**
 * `lockstep utl`: etcdutl's commands, on files. It reads etcd's own files: backups that `snapshot save`
 * made of an etcd or of this store, and the data directory of a stopped etcd.
 */
import { StartError } from "../../base/errors.js";
import { BboltError } from "../../bbolt/format.js";
import { UsageError } from "../../config/flags.js";
import { EtcdFileError } from "../../etcd/file-error.js";
import { CtlError, Exit, parseFlags } from "../ctl/flags.js";
import type { UtlCommand } from "./command.js";
import { defrag } from "./defrag.js";
import { migrate, snapshotRestore } from "./restore.js";
import { hashKv, snapshotStatus } from "./status.js";

const commands: Readonly<Record<string, UtlCommand>> = {
  "snapshot restore": snapshotRestore,
  "snapshot status": snapshotStatus,
  hashkv: hashKv,
  migrate,
  defrag,
};

function usage(): string {
  const lines = Object.values(commands).map((command) => {
    const flags = Object.keys(command.flags).map((name) => `--${name}`);
    return `  ${command.usage}\n      ${flags.join(" ")}\n`;
  });
  return `Usage: lockstep utl <command>\n\n${lines.join("")}
-w simple|json|fields|table: how status and hashkv print. How to move from etcd and back: docs/migrate.md\n`;
}

async function run(words: readonly string[]): Promise<number> {
  const name = Object.keys(commands).find((known) => {
    const parts = known.split(" ");
    return parts.every((part, at) => words[at] === part);
  });
  const command = name === undefined ? undefined : commands[name];
  if (name === undefined || command === undefined) {
    const isHelp = words.length === 0 || words.includes("--help") || words.includes("-h");
    if (!isHelp) throw new CtlError(`unknown command "${words.join(" ")}" for "lockstep utl"`);
    process.stdout.write(usage());
    return 0;
  }
  const table = { ...command.flags, "write-out": "simple", help: false };
  const { flags, args } = parseFlags(words.slice(name.split(" ").length), table);
  if (flags.isOn("help")) {
    process.stdout.write(usage());
    return 0;
  }
  const format = flags.text("write-out");
  if (!["simple", "json", "fields", "table"].includes(format)) {
    throw new CtlError("unsupported output format", Exit.badFeature);
  }
  return command.run({ args, flags, format });
}

export async function runUtl(words: readonly string[]): Promise<number> {
  try {
    return await run(words);
  } catch (error) {
    const isExpected =
      error instanceof CtlError ||
      error instanceof EtcdFileError ||
      error instanceof BboltError ||
      error instanceof UsageError ||
      error instanceof StartError;
    if (!isExpected) throw error;
    process.stderr.write(`Error: ${error.message}\n`);
    return error instanceof CtlError ? error.exit : Exit.failed;
  }
}
