/** A transaction that only reads, in slices between turns. */

import type { Done } from "../../base/done.js";
import { DamageError, KvError } from "../../base/errors.js";
import type { Clock } from "../../platform/clock.js";
import type { Job, MachineReader, TxnOutcome } from "../../state/types.js";
import type { TxnRequest } from "../../wire/gen/rpc.js";

/** Units of state/work.ts. */
const unitsPerTurn = 512;

export interface ReadTxnParts {
  readonly clock: Clock;
  machine(): MachineReader;
  isStopped(): boolean;
  /** Reports a damaged state or a bug. */
  failed(error: Error): void;
}

/** Calls `done` once. Starts anew if another state replaces the one that it reads. */
export function readTxn(
  parts: ReadTxnParts,
  request: TxnRequest,
  done: Done<TxnOutcome & { readonly revision: number }>,
): void {
  let machine: MachineReader | undefined;
  let job: Job<TxnOutcome & { readonly revision: number }> | undefined;
  const step = (): void => {
    if (parts.isStopped()) {
      done(new KvError("stopped"));
      return;
    }
    if (machine !== parts.machine()) {
      machine = parts.machine();
      job = machine.kv.readTxn(request);
    }
    let result: (TxnOutcome & { readonly revision: number }) | KvError | undefined;
    try {
      result = job?.step(unitsPerTurn);
    } catch (error) {
      if (error instanceof KvError) result = error;
      else {
        if (error instanceof DamageError) done(new KvError("corrupt"));
        parts.failed(error as Error);
        return;
      }
    }
    if (result === undefined) parts.clock.defer(step);
    else done(result);
  };
  step();
}
