/** Compactions that the log holds, and that the cluster or an operation without an answer made. */
import { expect, test } from "vitest";
import type { Operation, OperationOutcome, Request } from "../../history/types.js";
import { judgeByGround } from "./ground-check.js";
import { Replay } from "./replay.js";

const put = (value: string): Request => ({ kind: "put", key: "a", value });
const compact: Request = { kind: "compact", revision: 3 };
const old: Request = { kind: "range", key: "a", revision: 2 };
const done = (revision: number): OperationOutcome => ({
  kind: "ok",
  revision,
  answer: { kind: "put" },
});
const compacted: OperationOutcome = {
  kind: "refused",
  error: "etcdserver: mvcc: required revision has been compacted",
};
const unknown: OperationOutcome = { kind: "unknown", error: "context deadline exceeded" };

/** One operation after another, 10 us each; one without an answer does not end. */
function judge(compacts: boolean, ...asked: readonly (readonly [Request, OperationOutcome])[]) {
  const operations = asked.map(([request, outcome], id): Operation => {
    const returnUs = outcome.kind === "unknown" ? undefined : id * 20 + 10;
    return { id, client: id, member: "m1", callUs: id * 20, returnUs, request, outcome };
  });
  const ground = Replay.of([put("1"), put("2"), compact]);
  const options = { ground, expiry: "any", isShared: false, isExact: true } as const;
  return judgeByGround(operations, { ...options, compacts });
}

const writes = [
  [put("1"), done(2)],
  [put("2"), done(3)],
] as const;

test("a client's later compaction without an answer does not date one of the cluster itself", () => {
  const asked = [...writes, [old, compacted], [compact, unknown]] as const;
  expect(judge(true, ...asked).verdict).toBe("linearizable");
  // If only clients compact, nothing was compacted before the call.
  expect(judge(false, ...asked)).toMatchObject({ verdict: "not", reason: "wrong-refusal" });
});

test("a compaction that nobody asked for is one of the cluster itself", () => {
  expect(judge(true, ...writes, [old, compacted]).verdict).toBe("linearizable");
  expect(judge(false, ...writes)).toMatchObject({ verdict: "not", reason: "nobody-asked" });
});
