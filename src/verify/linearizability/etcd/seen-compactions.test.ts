/**
 * Clusters that compact by themselves: what is right is accepted although no client asked for the
 * compactions, and nothing that a refusal says is gone may be read afterwards.
 */
import { describe, expect, test } from "vitest";
import type { History, Operation, OperationAnswer, Request } from "../../history/types.js";
import { judgeHistory } from "../judge-history.js";
import { refusal } from "./effect.js";
import { generateEtcdHistory } from "./fixtures/history-generator.fixture.js";
import { type DrawContext, drawRequest } from "./fixtures/request-draw.fixture.js";

const shape = { operations: 150, clients: 5, keys: 4, watches: 3 };
const others = { othersCompact: true };

/** More compactions and reads of the past than usual. */
function draw(context: DrawContext): Request {
  const { rng, state } = context;
  const drawn = rng.int(12);
  const revision = Math.max(1, state.revision - rng.int(12));
  if (drawn === 0) return { kind: "compact", revision };
  if (drawn > 3) return drawRequest(context);
  return { kind: "range", key: "k00", end: "\0", revision, serializable: drawn === 1 };
}

/** As if somebody whom nobody recorded had asked for the compactions. */
function withoutCompactions(seed: number, unknownPerMille: number): History {
  const { history } = generateEtcdHistory({ seed, unknownPerMille, ...shape, draw });
  const operations = history.operations.filter(
    ({ request, outcome }) => request.kind !== "compact" || outcome.kind === "refused",
  );
  return { ...history, operations };
}

function isRefused({ outcome }: Operation): boolean {
  return outcome.kind === "refused" && outcome.error === refusal.compacted;
}

test.each([0, 20, 150])("right histories are right (unanswered: %i of 1000)", (unknown) => {
  let refused = 0;
  const asClients: string[] = [];
  for (let seed = 0; seed < 25; seed++) {
    const history = withoutCompactions(seed, unknown);
    const { verdict, texts } = judgeHistory(history, others);
    expect({ seed, verdict, texts }).toEqual({ seed, verdict: "linearizable", texts: [] });
    refused += history.operations.filter(isRefused).length;
    asClients.push(judgeHistory(history, {}).verdict);
  }
  expect(refused).toBeGreaterThan(50);
  expect(asClients.filter((one) => one === "not").length).toBeGreaterThan(10);
});

test("a right answer of what a client was told is gone is wrong", () => {
  let lies = 0;
  for (let seed = 0; seed < 40; seed++) {
    const history = withoutCompactions(seed, 20);
    // A read that came before, asked and answered again after the refusal.
    const refused = history.operations.find(
      (one) => isRefused(one) && one.request.kind === "range" && one.returnUs !== undefined,
    );
    if (refused?.request.kind !== "range") continue;
    const { revision: gone = 0 } = refused.request;
    const early = history.operations.find(
      ({ request, outcome }) =>
        request.kind === "range" &&
        request.serializable !== true &&
        outcome.kind === "ok" &&
        (request.revision ?? 0) > 0 &&
        (request.revision as number) <= gone,
    );
    const last = history.operations.at(-1);
    if (early?.outcome.kind !== "ok" || last === undefined) continue;
    const endUs = Math.max(...history.operations.map(({ returnUs }) => returnUs ?? 0));
    const newest = Math.max(
      ...history.operations.map(({ outcome }) => (outcome.kind === "ok" ? outcome.revision : 0)),
    );
    const again: Operation = {
      ...early,
      ...{ id: 100_000, client: 100_000, callUs: endUs + 1, returnUs: endUs + 2 },
      outcome: { ...early.outcome, revision: newest },
    };
    const { verdict, texts } = judgeHistory(
      { ...history, operations: [...history.operations, again] },
      others,
    );
    expect({ seed, verdict }).toEqual({ seed, verdict: "not" });
    expect(texts.join()).toMatch(/needs revision \d+, although .* were compacted/);
    lies++;
  }
  expect(lies).toBeGreaterThan(5);
});

type Line = readonly [callUs: number, returnUs: number, Request, Operation["outcome"]];

function history(...lines: readonly Line[]): History {
  const operations = lines.map(
    ([callUs, returnUs, request, outcome], id): Operation => ({
      ...{ id, client: id, member: "m1", callUs, returnUs, request, outcome },
    }),
  );
  return { operations, watches: [], marks: [] };
}

const ok = (revision: number, answer: OperationAnswer): Operation["outcome"] => ({
  ...{ kind: "ok", revision, answer },
});
const compacted = { kind: "refused", error: refusal.compacted } as const;
const put = (value: string): Request => ({ kind: "put", key: "a", value });
const old: Request = { kind: "range", key: "a", revision: 2 };
const kv = { key: "a", value: "1", create: 2, mod: 2, version: 1 };
const shown: OperationAnswer = { kind: "range", kvs: [kv], count: 1 };
const puts: readonly Line[] = [
  [0, 1, put("1"), ok(2, { kind: "put" })],
  [2, 3, put("2"), ok(3, { kind: "put" })],
];

describe("a refusal and the answers around it", () => {
  test.each<[string, "linearizable" | "not", readonly Line[]]>([
    ["a read that overlaps it", "linearizable", [[4, 9, old, ok(3, shown)]]],
    ["a read before it", "linearizable", [[4, 5, old, ok(3, shown)]]],
    ["a read after it", "not", [[9, 10, old, ok(3, shown)]]],
    [
      "a read that overlaps it, of a state that came after it",
      "not",
      [
        [9, 10, put("3"), ok(4, { kind: "put" })],
        [4, 11, old, ok(4, shown)],
      ],
    ],
    [
      "a read after it of a revision that may still be there",
      "linearizable",
      [
        [
          ...([9, 10, { ...old, revision: 3 }] as const),
          ok(3, { ...shown, kvs: [{ ...kv, value: "2", mod: 3, version: 2 }] }),
        ],
      ],
    ],
    [
      "a compaction after it, higher",
      "linearizable",
      [[9, 10, compact(4), ok(4, none())], third()],
    ],
    ["a compaction after it, where one was", "not", [[9, 10, compact(3), ok(3, none())]]],
    [
      "a transaction after it that reads what is gone",
      "not",
      [
        [
          ...([9, 10, { kind: "txn", compares: [], success: [old], failure: [] }] as const),
          ok(3, { kind: "txn", succeeded: true, answers: [shown] }),
        ],
      ],
    ],
  ])("%s: %s", (_, verdict, lines) => {
    const judged = judgeHistory(history(...puts, [6, 7, old, compacted], ...lines), others);
    expect(judged).toMatchObject({ verdict });
  });

  test("of a revision that the store had not passed is wrong, and so is one without a revision", () => {
    const [first] = puts as readonly [Line];
    const newest = history(first, [4, 5, old, compacted], [6, 7, put("2"), ok(3, { kind: "put" })]);
    expect(judgeHistory(newest, others)).toMatchObject({ verdict: "not" });
    const unasked = history(...puts, [4, 5, { kind: "range", key: "a" }, compacted]);
    expect(judgeHistory(unasked, others)).toMatchObject({ verdict: "not" });
  });

  test("a watch that was told of a compaction binds reads, too", () => {
    const told = { atUs: 8, revision: 3, events: [], canceled: true, compactRevision: 3 };
    const watch = {
      ...{ id: 1, client: 9, member: "m1", callUs: 7, range: { key: "a" }, revision: 1 },
      ...{ prevKv: false, progressNotify: false, filters: [], responses: [told] },
    };
    const later: Line = [20, 21, put("3"), ok(4, { kind: "put" })];
    const judge = (line: Line, compactRevision = 3) =>
      judgeHistory(
        {
          ...history(...puts, line, later),
          watches: [{ ...watch, responses: [{ ...told, compactRevision }] }],
        },
        others,
      ).verdict;
    expect(judge([5, 9, old, ok(3, shown)])).toBe("linearizable");
    expect(judge([9, 10, old, ok(3, shown)])).toBe("not");
    // Nobody had asked for the put of revision 4.
    expect(judge([5, 9, old, ok(3, shown)], 4)).toBe("not");
  });
});

function compact(revision: number): Request {
  return { kind: "compact", revision };
}

function none(): OperationAnswer {
  return { kind: "none" };
}

/** So that there is a revision 4. */
function third(): Line {
  return [7, 8, put("3"), ok(4, { kind: "put" })];
}
