/**
 * Long reads in bounded pieces between turns. An error ends only the request that reads, never the
 * member. Damage that a read finds is healed like any other damage.
 */

import type { Done } from "../base/done.js";
import { DamageError, KvError } from "../base/errors.js";
import type { Job } from "../state/types.js";
import { background, type JobClient, type JobHandle, type Jobs } from "./jobs.js";

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

/** Runs a job in turns of its own. Calls `done` once, unless the job is canceled before. */
export function runJob<T>(
  jobs: Pick<Jobs, "start">,
  job: Job<T>,
  as: {
    /** The client that asked. Absent: the work is the member's own. */
    readonly client?: JobClient | undefined;
    readonly done: Done<T>;
    readonly errors: ReadErrors;
  },
): JobHandle {
  const { client = background, done, errors } = as;
  const step = (units: number): "more" | "over" => {
    let result: T | KvError | undefined;
    try {
      result = job.step(units);
    } catch (error) {
      result = readRefusal(error, errors);
    }
    if (result === undefined) return "more";
    done(result);
    return "over";
  };
  return jobs.start({ step }, client);
}
