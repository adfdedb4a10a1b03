/** What a command of `lockstep ctl` is: its words, its flags, and what it does with them. */
import type { CtlClient } from "./client.js";
import type { CtlFlag, CtlFlags } from "./flags.js";
import type { Printer } from "./printer.js";

export interface Invocation {
  readonly args: readonly string[];
  /** What followed "--". */
  readonly after: readonly string[];
  readonly flags: CtlFlags;
  readonly client: CtlClient;
  /** The same flags, other endpoints. The command closes it. */
  readonly clientOf: (endpoints: readonly string[]) => CtlClient;
  readonly out: Printer;
  /** A line on standard error. */
  readonly warn: (line: string) => void;
}

export interface CtlCommand {
  /** "lease grant" */
  readonly name: string;
  /** Its arguments, for the help. */
  readonly usage: string;
  readonly help: string;
  readonly flags: readonly CtlFlag[];
  /** @throws CtlFailure */
  readonly run: (call: Invocation) => Promise<void>;
}

export function truth(name: string, help: string): CtlFlag {
  return { name, kind: "boolean", initial: "false", help };
}
