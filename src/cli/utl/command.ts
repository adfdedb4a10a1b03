/** A command of `lockstep utl`, and what it gets. */
import type { Flags, FlagTable } from "../ctl/flags.js";

export interface UtlContext {
  readonly args: readonly string[];
  readonly flags: Flags;
  /** simple, json, fields or table. */
  readonly format: string;
}

export interface UtlCommand {
  readonly usage: string;
  readonly flags: FlagTable;
  /**
   * Runs the command. Resolves to the exit code. @throws CtlError, or the errors of the files'
   * readers
   */
  run(context: UtlContext): Promise<number>;
}
