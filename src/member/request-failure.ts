/** Decides what follows from an error that the handling of one request threw. */
import { DamageError, KvError } from "../base/errors.js";
import { InvariantViolation } from "../base/invariant.js";
import type { Platform } from "../platform/platform.js";

/**
 * Returns the request's answer. Damage and a broken invariant concern the whole member: it gives up
 * its state or stops. Any other error fails only this request, and is logged.
 */
export function requestFailure(
  error: unknown,
  member: { isHalted(): boolean; fail(error: Error): void; readonly log: Platform["log"] },
): KvError {
  if (error instanceof KvError) return error;
  // The state that the request reads is closed, or is being closed.
  if (member.isHalted()) return new KvError("stopped");
  if (error instanceof DamageError || error instanceof InvariantViolation) {
    member.fail(error);
    return new KvError(error instanceof DamageError ? "corrupt" : "stopped");
  }
  const told = error instanceof Error ? error : new Error(String(error));
  const fields = { error: told.message, stack: told.stack };
  member.log("error", "a request failed on an internal error", fields);
  return new KvError("internal");
}
