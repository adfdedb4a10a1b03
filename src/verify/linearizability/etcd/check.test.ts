import { describe, expect, test } from "vitest";
import type {
  History,
  KeyValue,
  Operation,
  OperationAnswer,
  OperationOutcome,
  Request,
} from "../../history/types.js";
import { checkEtcdHistory } from "./check.js";
import { generateEtcdHistory } from "./fixtures/history-generator.fixture.js";
import { Replay } from "./replay.js";

type Time = readonly [callMs: number, returnMs?: number];
type Line = readonly [Time, Request, OperationOutcome];

/** Each line is a client's only operation; its id is its place. */
function history(...lines: readonly Line[]): History {
  const operations = lines.map(([[callMs, returnMs], request, outcome], id): Operation => {
    const returnUs = returnMs === undefined ? undefined : returnMs * 1000;
    return { id, client: id, member: "m1", callUs: callMs * 1000, returnUs, request, outcome };
  });
  return { operations, watches: [], marks: [] };
}

const ok = (revision: number, answer: OperationAnswer): OperationOutcome => ({
  kind: "ok",
  revision,
  answer,
});
const done: OperationAnswer = { kind: "put" };
const unknown: OperationOutcome = { kind: "unknown", error: "etcdserver: request timed out" };
const refused = (error: string): OperationOutcome => ({ kind: "refused", error });
const put = (key: string, value: string, lease?: string): Request => ({
  kind: "put",
  key,
  value,
  ...(lease === undefined ? {} : { lease }),
});
const get = (key: string): Request => ({ kind: "range", key });
const kv = (key: string, value: string, mod: number, version = 1, create = mod): KeyValue => ({
  key,
  value,
  create,
  mod,
  version,
});
const shown = (...kvs: readonly KeyValue[]): OperationAnswer => ({
  kind: "range",
  kvs,
  count: kvs.length,
});
const grant = (ttl: number): Request => ({ kind: "leaseGrant", id: "7", ttl });
const granted = (ttl: number): OperationAnswer => ({ kind: "lease", id: "7", ttl });
const compacted = "etcdserver: mvcc: required revision has been compacted";
const noLease = "etcdserver: requested lease not found";

const keysOf = ({ answer }: Extract<OperationOutcome, { kind: "ok" }>): readonly KeyValue[] =>
  answer.kind === "range" ? answer.kvs : [];

const twice: Line = [[0, 1], put("a", "1"), ok(2, done)];
const a1 = put("a", "1");
const a2 = put("a", "2");

describe("without a ground", () => {
  test.each<[string, readonly Line[], string]>([
    [
      "two writes of one revision",
      [
        [[0, 9], a1, ok(2, done)],
        [[0, 9], a2, ok(2, done)],
      ],
      "doubled-revision",
    ],
    [
      "a read that does not see what was acknowledged",
      [
        [[0, 1], a1, ok(2, done)],
        [[2, 3], get("a"), ok(1, shown())],
      ],
      "real-time",
    ],
    [
      "a write that was called after somebody saw its revision",
      [
        [[0, 1], get("a"), ok(2, shown(kv("a", "1", 2)))],
        [[2, 3], a1, ok(2, done)],
      ],
      "real-time",
    ],
    [
      "an acknowledged write that a read at its revision does not show",
      [
        [[0, 9], a1, ok(2, done)],
        [[0, 9], get("a"), ok(2, shown())],
      ],
      "wrong-answer",
    ],
    [
      "a revision that nothing made",
      [
        [[0, 1], a1, ok(2, done)],
        [[2, 3], a2, ok(4, done)],
      ],
      "no-order",
    ],
    [
      "a revision that only a read without an answer could have made",
      [
        [[0], get("a"), unknown],
        [[2, 3], a2, ok(3, done)],
      ],
      "no-order",
    ],
    [
      "a revision made by what was called later",
      [
        [[0, 1], a1, ok(3, done)],
        [[2], a2, unknown],
      ],
      "no-order",
    ],
    [
      "one unknown write that would be needed twice",
      [
        [[0], put("b", "1"), unknown],
        [[0, 9], a1, ok(3, done)],
        [[10, 19], a2, ok(5, done)],
      ],
      "no-order",
    ],
    [
      "a refusal for a compaction that nobody asked for",
      [
        [[0, 1], a1, ok(2, done)],
        [[2, 3], { ...get("a"), revision: 1 } as Request, refused(compacted)],
      ],
      "wrong-refusal",
    ],
    [
      "a lease that was refused while it was there",
      [
        [[0, 1], grant(60), ok(1, granted(60))],
        [[2, 3], put("a", "1", "7"), refused(noLease)],
      ],
      "wrong-refusal",
    ],
  ])("finds %s", (_, lines, reason) => {
    const verdict = checkEtcdHistory(history(...lines));
    expect(verdict).toMatchObject({ verdict: "not", reason });
    expect(verdict.text).not.toBe("");
  });

  test.each<[string, readonly Line[]]>([
    ["nothing at all", []],
    [
      "an unknown write that fills a gap, found by what a read shows",
      [
        [[0], put("b", "x"), unknown],
        [[0], put("a", "y"), unknown],
        [[1, 2], put("c", "1"), ok(3, done)],
        [[3, 4], get("a"), ok(3, shown(kv("a", "y", 2)))],
        [[3, 4], get("b"), ok(3, shown())],
      ],
    ],
    [
      "an unknown write that takes effect long after it was given up",
      [
        [[0, 1], a1, unknown],
        [[2, 3], a2, ok(2, done)],
        [[4, 5], get("a"), ok(2, shown(kv("a", "2", 2)))],
        [[6, 7], get("a"), ok(3, shown(kv("a", "1", 3, 2, 2)))],
      ],
    ],
    [
      "a choice that must be taken back: the version shows it only later",
      [
        [[0], put("b", "x"), unknown],
        [[0], put("a", "y"), unknown],
        [[0, 1], put("a", "z"), ok(3, done)],
        [[2, 3], put("c", "1"), ok(5, done)],
        [[4, 5], get("a"), ok(5, shown(kv("a", "z", 3, 2, 2)))],
      ],
    ],
    [
      "keys that went with their lease when its time was over",
      [
        [[0, 1], grant(1), ok(1, granted(1))],
        [[2, 3], put("a", "1", "7"), ok(2, done)],
        [[1500, 1501], get("a"), ok(3, shown())],
        [[1502, 1503], put("a", "1", "7"), refused(noLease)],
      ],
    ],
    [
      "a refusal that an unknown compaction explains",
      [
        [[0, 1], a1, ok(2, done)],
        [[0], { kind: "compact", revision: 2 }, unknown],
        [[2, 3], { ...get("a"), revision: 1 } as Request, refused(compacted)],
      ],
    ],
    [
      "a put with a lease whose grant was never answered",
      [
        [[0], grant(60), unknown],
        [[2, 3], put("a", "1", "7"), ok(2, done)],
      ],
    ],
  ])("accepts %s", (_, lines) => {
    expect(checkEtcdHistory(history(...lines))).toMatchObject({
      verdict: "linearizable",
      placed: lines.length,
    });
  });

  test("a lease does not end before its time, counted from the call", () => {
    const lines = (atMs: number): readonly Line[] => [
      [[0, 1], grant(1), ok(1, granted(1))],
      [[2, 3], put("a", "1", "7"), ok(2, done)],
      [[atMs - 1, atMs], get("a"), ok(3, shown())],
    ];
    expect(checkEtcdHistory(history(...lines(999))).verdict).toBe("not");
    expect(checkEtcdHistory(history(...lines(999)), { expiry: "any" }).verdict).toBe(
      "linearizable",
    );
    expect(checkEtcdHistory(history(...lines(1000))).verdict).toBe("linearizable");
  });

  test("is unknown, and says why, exactly when a limit ends the search", () => {
    const { history: long } = generateEtcdHistory({
      seed: 4,
      operations: 600,
      clients: 8,
      keys: 4,
      unknownPerMille: 300,
    });
    const last = long.operations.findLast(({ request, outcome }) => {
      const isList = request.kind === "range" && request.serializable !== true;
      return isList && outcome.kind === "ok" && keysOf(outcome).length > 2;
    });
    // The answer lacks one key.
    const kvs = last?.outcome.kind === "ok" ? keysOf(last.outcome).slice(1) : [];
    const lie = {
      ...long,
      operations: long.operations.map((one) =>
        one === last && one.outcome.kind === "ok"
          ? { ...one, outcome: { ...one.outcome, answer: shown(...kvs) } }
          : one,
      ),
    };
    expect(checkEtcdHistory(long).verdict).toBe("linearizable");
    const ended = checkEtcdHistory(lie, { stepsMax: 3_000 });
    expect(ended).toMatchObject({ verdict: "unknown", reason: "limit" });
    expect(ended.text).toContain("limit");
    const late = checkEtcdHistory(lie, { isTimeUp: () => true });
    expect(late).toMatchObject({ verdict: "unknown", reason: "limit" });
    // An answer that is wrong in any state needs no search.
    const plain = {
      ...long,
      operations: [...long.operations, ...history(twice, twice).operations],
    };
    expect(checkEtcdHistory(plain, { stepsMax: 0 }).verdict).toBe("not");
  });
});

describe("with a ground", () => {
  const judge = (ground: readonly Request[], ...lines: readonly Line[]) =>
    checkEtcdHistory(history(...lines), { ground: Replay.of(ground) });

  test("an acknowledged write that the log does not hold is lost", () => {
    expect(judge([], [[0, 1], a1, ok(2, done)])).toMatchObject({ reason: "lost-write" });
    expect(judge([a2], [[0, 1], a1, ok(2, done)])).toMatchObject({ reason: "lost-write" });
    expect(judge([a1], [[0, 1], a1, ok(2, done)])).toMatchObject({ verdict: "linearizable" });
  });

  test("a refused write that the log holds, an unknown one that it holds twice", () => {
    const noSpace = refused("etcdserver: mvcc: database space exceeded");
    expect(judge([a1], [[0, 1], a1, noSpace])).toMatchObject({ reason: "refused-effect" });
    expect(judge([], [[0, 1], a1, noSpace])).toMatchObject({ verdict: "linearizable" });
    expect(judge([a1], [[0], a1, unknown])).toMatchObject({ verdict: "linearizable" });
    expect(judge([], [[0], a1, unknown])).toMatchObject({ verdict: "linearizable" });
    expect(judge([a1, a1], [[0], a1, unknown])).toMatchObject({ reason: "nobody-asked" });
  });

  test("an unknown write has no effect before its call", () => {
    const lines = (callMs: number): readonly Line[] => [
      [[2, 3], get("a"), ok(2, shown(kv("a", "1", 2)))],
      [[callMs], a1, unknown],
    ];
    expect(judge([a1], ...lines(3))).toMatchObject({ verdict: "linearizable" });
    expect(judge([a1], ...lines(4))).toMatchObject({ verdict: "not", reason: "nobody-asked" });
  });

  test("strangers may write only where the store is said to be shared", () => {
    const ground = Replay.of([a1]);
    const seen = history([[0, 1], get("a"), ok(2, shown(kv("a", "1", 2)))]);
    expect(checkEtcdHistory(seen, { ground })).toMatchObject({ reason: "nobody-asked" });
    expect(checkEtcdHistory(seen, { ground, isShared: true }).verdict).toBe("linearizable");
  });

  test("when an entry was taken tells whose it is, where answers do not", () => {
    const revoke: Request = { kind: "leaseRevoke", id: "7" };
    // It ends by itself at 10, is granted again, and revoked by a client: all at revision 1.
    const taken = [
      [grant(1), 1],
      [revoke, 10],
      [grant(1), 21],
      [revoke, 31],
    ] as const;
    const lines: readonly Line[] = [
      [[0, 2], grant(1), ok(1, granted(1))],
      [[11, 12], revoke, refused(noLease)],
      [[20, 22], grant(1), ok(1, granted(1))],
      [[23, 32], revoke, ok(1, { kind: "none" })],
    ];
    const judgeAt = (shiftMs: number) => {
      const ground = new Replay();
      for (const [request, atMs] of taken) ground.append(request, (atMs + shiftMs) * 1000);
      return checkEtcdHistory(history(...lines), { ground, expiry: "any" });
    };
    expect(judgeAt(0)).toMatchObject({ verdict: "linearizable" });
    expect(judgeAt(5)).toMatchObject({ verdict: "not", reason: "lost-write" });
  });

  test("a renewal moves the end of a lease", () => {
    const ground = [grant(1), put("a", "1", "7"), { kind: "leaseRevoke", id: "7" }] as const;
    const lines = (endMs: number): readonly Line[] => [
      [[0, 1], grant(1), ok(1, granted(1))],
      [[2, 3], put("a", "1", "7"), ok(2, done)],
      [[500, 501], { kind: "leaseKeepAlive", id: "7" }, ok(2, granted(1))],
      [[endMs - 1, endMs], get("a"), ok(3, shown())],
    ];
    expect(judge(ground, ...lines(1499))).toMatchObject({
      verdict: "not",
      reason: "early-expiry",
      operationIds: [2],
    });
    expect(judge(ground, ...lines(1500))).toMatchObject({ verdict: "linearizable" });
  });

  test("a renewal sees the lease, or sees that it is gone", () => {
    const lines = (ttl: number, ms: number): readonly Line[] => [
      [[0, 1], grant(60), ok(1, granted(60))],
      [[10, 11], { kind: "leaseRevoke", id: "7" }, ok(1, { kind: "none" })],
      [[ms, ms + 1], { kind: "leaseKeepAlive", id: "7" }, ok(1, granted(ttl))],
    ];
    const ground = [grant(60), { kind: "leaseRevoke", id: "7" }] as const;
    expect(judge(ground, ...lines(60, 5)).verdict).toBe("linearizable");
    expect(judge(ground, ...lines(0, 15)).verdict).toBe("linearizable");
    expect(judge(ground, ...lines(0, 5)).verdict).toBe("not");
    expect(judge(ground, ...lines(60, 15)).verdict).toBe("not");
  });
});
