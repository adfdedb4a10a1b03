import { expect, test } from "vitest";
import { type ErrorReason, errorTable, KvError, reasonOfText } from "./errors.js";

test("a request may be repeated after what passes by itself, not after its own mistake", () => {
  const isRetryable = (reason: ErrorReason) => new KvError(reason).retryable;
  for (const reason of ["stopped", "timeout", "noLeader", "tooManyRequests", "notLeader"] as const)
    expect([reason, isRetryable(reason)]).toEqual([reason, true]);
  for (const reason of ["emptyKey", "compacted", "requestTooLarge", "noSpace", "corrupt"] as const)
    expect([reason, isRetryable(reason)]).toEqual([reason, false]);
  const invalid = Object.entries(errorTable).filter(([, [code]]) => code === 3);
  expect(invalid.filter(([reason]) => isRetryable(reason as ErrorReason))).toEqual([]);
});

test("a client finds the reason in the text of an answer: no two reasons share a text", () => {
  for (const [reason, [, text]] of Object.entries(errorTable))
    expect(reasonOfText(text)).toBe(reason);
  expect(reasonOfText("etcdserver: something new")).toBeUndefined();
  expect(reasonOfText("auth: user name is empty")).toBe("userEmpty");
});
