/**
 * Long reads in bounded pieces between turns, and what becomes of their errors: an error ends the
 * request that read, never the member. Damage that it came upon is healed as any other.
 */

import type { Done } from "../base/done.js";
import { DamageError, KvError } from "../base/errors.js";
import type { Clock } from "../platform/clock.js";
import type { Job } from "../state/types.js";

const rowsPerTurn = 5_000;

export interface ReadErrors {
  /** What was read is damaged. */
  damaged(error: DamageError): void;
  log(level: "error", message: string, fields: Readonly<Record<string, unknown>>): void;
}

/** What a client is told of an error of its read. */
export function readRefusal(error: unknown, errors: ReadErrors): KvError {
  if (error instanceof KvError) return error;
  if (error instanceof DamageError) {
    errors.damaged(error);
    return new KvError("corrupt");
  }
  errors.log("error", "a read failed", { error: String((error as Error)?.stack ?? error) });
  return new KvError("readFailed");
}

/** Runs a job in pieces, the first one now. Calls `done` once. */
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
