/**
 * What a command of `lockstep ctl` gets: its words and flags, the client, and where to print. Knows
 * the four formats. A command says what each looks like; a format that it cannot print is an error.
 */

import type { KeyValue } from "../../wire/gen/kv.js";
import type { ResponseHeader } from "../../wire/gen/rpc.js";
import type { CtlClient } from "./client.js";
import { CtlError, Exit, type Flags, type FlagTable } from "./flags.js";
import { quoted, shownBytes } from "./print-values.js";

export interface Context {
  readonly args: readonly string[];
  /** The words of `args` that followed "--". */
  readonly after: readonly string[];
  readonly flags: Flags;
  readonly client: CtlClient;
  readonly format: string;
  readonly hex: boolean;
}
export interface Command {
  /** The command's arguments and what it does, in one line, for its help. */
  readonly about?: string;
  readonly flags?: FlagTable;
  /** Runs the command. Returns the exit code; undefined: 0. */
  run(context: Context): Promise<number | undefined>;
}

export function print(text: string | Uint8Array): void {
  process.stdout.write(text);
}

/** Prints the view of the requested format. @throws CtlError if the command has none */
export function show(
  context: Context,
  views: Readonly<
    Partial<Record<"simple" | "json" | "fields" | "table", () => string | Uint8Array>>
  >,
): void {
  const view = views[context.format as keyof typeof views];
  if (view === undefined) {
    throw new CtlError(`${context.format} not supported as output format`, Exit.badFeature);
  }
  const text = view();
  print(context.format === "json" ? `${text}\n` : text);
}

export function headerFields(header: ResponseHeader | undefined): string {
  return (
    `"ClusterID" : ${header?.cluster_id ?? 0}\n"MemberID" : ${header?.member_id ?? 0}\n` +
    `"Revision" : ${header?.revision ?? 0}\n"RaftTerm" : ${header?.raft_term ?? 0}\n`
  );
}

export function keyValueFields(kv: KeyValue, prefix = ""): string {
  return (
    `"${prefix}Key" : ${quoted(kv.key)}\n"${prefix}CreateRevision" : ${kv.create_revision}\n` +
    `"${prefix}ModRevision" : ${kv.mod_revision}\n"${prefix}Version" : ${kv.version}\n` +
    `"${prefix}Value" : ${quoted(kv.value)}\n"${prefix}Lease" : ${kv.lease}\n`
  );
}

const NEWLINE = Buffer.from("\n");
/** Key and value, each on its own line. */
export function keyValueLines(kv: KeyValue, hex: boolean): Uint8Array {
  return Buffer.concat([shownBytes(kv.key, hex), NEWLINE, shownBytes(kv.value, hex), NEWLINE]);
}
