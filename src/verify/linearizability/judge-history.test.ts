/**
 * Whole histories of an etcd store: none that is right is called wrong, whatever is unknown in it;
 * lies of operations, watches and serializable reads are found.
 */
import { describe, expect, test } from "vitest";
import { formatHistory } from "../history/history-file.js";
import type { History, Operation, Watch, WatchEvent } from "../history/types.js";
import { generatePlan } from "../sim/plan-generator.js";
import { runPlan } from "../sim/run-plan.js";
import { checkHistory } from "./check-history.js";
import { type Bug, generateEtcdHistory } from "./etcd/history-generator.fixture.js";
import { judgeHistory } from "./judge-history.js";

function generated(seed: number, unknownPerMille: number, bug?: Bug) {
  const shape = { operations: 150, clients: 5, keys: 4, unknownPerMille, watches: 3 };
  return generateEtcdHistory({ seed, ...shape, ...(bug === undefined ? {} : { bug }) });
}

describe("what is right is not called wrong", () => {
  test.each([0, 20])("with %i of 1000 operations without an answer", (unknownPerMille) => {
    for (let seed = 1; seed <= 30; seed++) {
      const { history } = generated(seed, unknownPerMille);
      expect(judgeHistory(history, {}), `seed ${seed}`).toMatchObject({
        verdict: "linearizable",
        texts: [],
      });
    }
  });

  test("with so many that watches may be undecided", () => {
    const verdicts = Array.from(
      { length: 40 },
      (_, seed) => judgeHistory(generated(seed, 200).history, {}).verdict,
    );
    expect(verdicts).not.toContain("not");
    expect(verdicts.filter((one) => one === "linearizable").length).toBeGreaterThan(20);
  });

  test("in clusters with faults", () => {
    for (let seed = 1; seed <= 3; seed++) {
      const { history } = runPlan(generatePlan(seed, { isBeyondAtlas: false, members: undefined }));
      const judged = checkHistory(formatHistory(history), {});
      expect(judged.verdict, `seed ${seed}: ${judged.etcd?.texts.join("; ")}`).not.toBe("not");
    }
  });
});

/** The history with the first watch event changed that `change` gives another for. */
function withEvent(
  history: History,
  change: (event: WatchEvent) => WatchEvent | undefined,
): History {
  let isDone = false;
  const watches = history.watches.map(
    (watch): Watch => ({
      ...watch,
      responses: watch.responses.map((response) => ({
        ...response,
        events: response.events.map((event) => {
          const other = isDone ? undefined : change(event);
          isDone ||= other !== undefined;
          return other ?? event;
        }),
      })),
    }),
  );
  expect(isDone).toBe(true);
  return { ...history, watches };
}

describe("lies are found", () => {
  test("of an operation, with the operation named", () => {
    const { history, brokenId } = generated(7, 0, { kind: "staleRead", from: 60 });
    const { verdict, operationIds } = judgeHistory(history, {});
    expect(verdict).toBe("not");
    expect(operationIds).toContain(brokenId);
    const check = checkHistory(formatHistory(history), {});
    expect(check).toMatchObject({
      format: "lockstep",
      model: "etcd",
      verdict: "not",
      operations: 150,
    });
    expect(check.etcd?.around.some(({ isBlocked }) => isBlocked)).toBe(true);
  });

  test.each([
    [
      "another value",
      (event: WatchEvent) => (event.type === "put" ? { ...event, value: "lie" } : undefined),
    ],
    [
      "another version",
      (event: WatchEvent) =>
        event.version > 1 ? { ...event, version: event.version + 1 } : undefined,
    ],
    ["a revision that never was", (event: WatchEvent) => ({ ...event, mod: 10_000 })],
  ])("of a watch: %s, with and without unknown operations", (_, change) => {
    for (const unknownPerMille of [0, 20]) {
      const { verdict, texts } = judgeHistory(
        withEvent(generated(5, unknownPerMille).history, change),
        {},
      );
      expect(verdict).toBe("not");
      expect(texts.length).toBeGreaterThan(0);
    }
  });

  test("of a watch: an event missing", () => {
    const { history } = generated(5, 0);
    const [first, ...others] = [...history.watches].sort(
      (a, b) => b.responses.length - a.responses.length,
    ) as [Watch, ...Watch[]];
    const at = first.responses.findIndex(({ events }, place) => place > 2 && events.length === 1);
    expect(at).toBeGreaterThan(0);
    const responses = first.responses.filter((_, place) => place !== at);
    const { verdict, texts } = judgeHistory(
      { ...history, watches: [{ ...first, responses }, ...others] },
      {},
    );
    expect({ verdict, texts }).toMatchObject({
      verdict: "not",
      texts: [expect.stringMatching(/^reliable: /)],
    });
  });

  test("of a serializable read", () => {
    const { history } = generated(3, 20);
    let isDone = false;
    const operations = history.operations.map((operation): Operation => {
      const { request, outcome } = operation;
      const isRead = request.kind === "range" && request.serializable === true && !isDone;
      if (!isRead || outcome.kind !== "ok" || outcome.answer.kind !== "range") return operation;
      isDone = true;
      const answer = { ...outcome.answer, kvs: [], count: outcome.answer.count + 1 };
      return { ...operation, outcome: { ...outcome, answer } };
    });
    expect(isDone).toBe(true);
    expect(judgeHistory({ ...history, operations }, {}).verdict).toBe("not");
  });
});

test("a limit ends as unknown", () => {
  const { history } = generated(1, 20);
  const check = checkHistory(formatHistory(history), { stepsMax: 1 });
  expect(check.verdict).toBe("unknown");
  expect(check.reason).toContain("limit");
});
