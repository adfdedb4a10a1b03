/**
 * Long reads in bounded pieces between turns. An error ends only the request that reads, never the
 * member. Damage that a read finds is healed like any other damage.
 */

import type { Done } from "../base/done.js";
import { DamageError, KvError } from "../base/errors.js";
import type { Clock } from "../platform/clock.js";
import type { Job } from "../state/types.js";

const rowsPerTurn = 5_000;

export interface ReadErrors {
  /** Reports that a read found damage. */
  damaged(error: DamageError): void;
  log(level: "error", message: string, fields: Readonly<Record<string, unknown>>): void;
}

/** The error that a client gets for an error of its read. */
export function readRefusal(error: unknown, errors: ReadErrors): KvError {
  if (error instanceof KvError) return error;
  if (error instanceof DamageError) {
    errors.damaged(error);
    return new KvError("corrupt");
  }
  errors.log("error", "a read failed", { error: String((error as Error)?.stack ?? error) });
  return new KvError("readFailed");
}

/** Runs a job in pieces, the first one inside this call. Calls `done` once. */
export function runJob<T>(
  clock: Clock,
  job: Job<T>,
  { done, errors }: { readonly done: Done<T>; readonly errors: ReadErrors },
): void {
  const step = (): void => {
    let result: T | KvError | undefined;
    try {
      result = job.step(rowsPerTurn);
    } catch (error) {
      result = readRefusal(error, errors);
    }
    if (result === undefined) clock.defer(step);
    else done(result);
  };
  step();
}
