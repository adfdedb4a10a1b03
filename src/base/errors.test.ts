import { expect, test } from "vitest";
import { type ErrorReason, errorTable, KvError } from "./errors.js";

test("a request may be repeated after what passes by itself, not after its own mistake", () => {
  const isRetryable = (reason: ErrorReason) => new KvError(reason).retryable;
  for (const reason of ["stopped", "timeout", "noLeader", "tooManyRequests", "notLeader"] as const)
    expect([reason, isRetryable(reason)]).toEqual([reason, true]);
  for (const reason of ["emptyKey", "compacted", "requestTooLarge", "noSpace", "corrupt"] as const)
    expect([reason, isRetryable(reason)]).toEqual([reason, false]);
  const invalid = Object.entries(errorTable).filter(([, [code]]) => code === 3);
  expect(invalid.filter(([reason]) => isRetryable(reason as ErrorReason))).toEqual([]);
});
