/**
 * Whole histories of an etcd store. The check accepts every true history, whatever is unknown in
 * it, and finds lies of operations, watches and serializable reads.
 */
import { describe, expect, test } from "vitest";
import { formatHistory } from "../history/history-file.js";
import type { History, Operation, Watch, WatchEvent } from "../history/types.js";
import { generatePlan } from "../sim/plan/plan-generator.js";
import { runPlan } from "../sim/run-plan.js";
import { checkHistory } from "./check-history.js";
import { type Bug, generateEtcdHistory } from "./etcd/fixtures/history-generator.fixture.js";
import { judgeHistory } from "./judge-history.js";

function generated(seed: number, unknownPerMille: number, bug?: Bug) {
  const shape = { operations: 150, clients: 5, keys: 4, unknownPerMille, watches: 3 };
  return generateEtcdHistory({ seed, ...shape, ...(bug === undefined ? {} : { bug }) });
}

function verdictOf(seed: number, unknownPerMille: number): string {
  return judgeHistory(generated(seed, unknownPerMille).history, {}).verdict;
}

/** The first generated history in which `change` finds a place for its lie. */
function firstLie(
  unknownPerMille: number,
  change: (history: History) => History | undefined,
): History {
  for (let seed = 1; seed <= 100; seed++) {
    const lie = change(generated(seed, unknownPerMille).history);
    if (lie !== undefined) return lie;
  }
  throw new Error("none of the histories has what it takes");
}

describe("what is right is not called wrong", () => {
  test.each([0, 20])("with %i of 1000 operations without an answer", (unknownPerMille) => {
    const verdicts = Array.from({ length: 30 }, (_, seed) => verdictOf(seed, unknownPerMille));
    expect(verdicts).not.toContain("not");
    const decided = verdicts.filter((one) => one === "linearizable");
    expect(decided).toHaveLength(30);
  });

  test("with 200 of 1000, because watches tell which of them happened", () => {
    const verdicts = Array.from({ length: 40 }, (_, seed) => verdictOf(seed, 200));
    expect(new Set(verdicts)).toEqual(new Set(["linearizable"]));
  });

  test("a history in which so many are unanswered that a search alone does not end", () => {
    const shape = { operations: 700, clients: 10, keys: 4, unknownPerMille: 250, watches: 3 };
    // If watches are not believed, none of these has a verdict within ten times as many steps.
    for (const seed of [2, 7, 12, 26, 39]) {
      const { history } = generateEtcdHistory({ seed, ...shape });
      const { verdict, texts } = judgeHistory(history, { stepsMax: 20_000 });
      expect({ seed, verdict, texts }).toEqual({ seed, verdict: "linearizable", texts: [] });
    }
  });

  test("in clusters with faults", () => {
    // What a cluster compacts by itself stands in no client's history.
    for (const seed of [1, 2, 5]) {
      const plan = generatePlan(seed, { isBeyondAtlas: false, members: undefined });
      expect(plan.swarm.autoCompaction).toBeUndefined();
      const { history } = runPlan(plan);
      const judged = checkHistory(formatHistory(history), {});
      expect(judged.verdict, `seed ${seed}: ${judged.etcd?.texts.join("; ")}`).not.toBe("not");
    }
  });
});

/** The history with the first watch event changed that `change` gives another for. */
function withEvent(
  history: History,
  change: (event: WatchEvent) => WatchEvent | undefined,
): History | undefined {
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
  return isDone ? { ...history, watches } : undefined;
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
    for (const unknownPerMille of [0, 20, 200]) {
      const lie = firstLie(unknownPerMille, (history) => withEvent(history, change));
      const { verdict, texts } = judgeHistory(lie, {});
      expect(verdict).toBe("not");
      expect(texts.length).toBeGreaterThan(0);
    }
  });

  test.each([0, 20, 200])("of a watch: an event missing (unknown: %i of 1000)", (unknown) => {
    const lie = firstLie(unknown, (history) => {
      for (const [place, watch] of history.watches.entries()) {
        const { responses } = watch;
        const at = responses.findIndex(({ events }, answer) => answer > 2 && events.length === 1);
        // A later event shows that the event is missing.
        if (at < 0 || !responses.slice(at + 1).some(({ events }) => events.length > 0)) continue;
        const fewer = { ...watch, responses: responses.filter((_, answer) => answer !== at) };
        return { ...history, watches: history.watches.with(place, fewer) };
      }
      return undefined;
    });
    const { verdict, texts } = judgeHistory(lie, {});
    expect(verdict).toBe("not");
    expect(texts.join("\n")).toMatch(
      /reliable: |nothing can have made revision|a watch of these keys showed something else/,
    );
  });

  test("of a watch: progress that is taken back, whatever unanswered operations did", () => {
    const lie = firstLie(200, (history) => {
      for (const [place, watch] of history.watches.entries()) {
        const last = watch.responses.findLast(({ events }) => events.length > 0);
        const mod = last?.events.at(-1)?.mod ?? 0;
        if (mod < 20) continue;
        const progress = { atUs: (last?.atUs ?? 0) + 1, revision: mod - 1, events: [] };
        const more = { ...watch, responses: [...watch.responses, progress] };
        return { ...history, watches: history.watches.with(place, more) };
      }
      return undefined;
    });
    const { verdict, texts } = judgeHistory(lie, {});
    expect(verdict).toBe("not");
    expect(texts[0]).toMatch(/^bookmarkable: .*tells of progress to/);
  });

  test("of a serializable read", () => {
    const lie = firstLie(20, (history) => {
      const at = history.operations.findIndex(
        ({ request, outcome }) =>
          request.kind === "range" && request.serializable === true && outcome.kind === "ok",
      );
      const { outcome, ...rest } = history.operations[at] ?? {};
      if (outcome?.kind !== "ok" || outcome.answer.kind !== "range") return undefined;
      const answer = { ...outcome.answer, kvs: [], count: outcome.answer.count + 1 };
      const lying = { ...rest, outcome: { ...outcome, answer } } as Operation;
      return { ...history, operations: history.operations.with(at, lying) };
    });
    expect(judgeHistory(lie, {}).verdict).toBe("not");
  });
});

test("a limit ends as unknown", () => {
  const { history } = generated(1, 20);
  const check = checkHistory(formatHistory(history), { stepsMax: 1 });
  expect(check.verdict).toBe("unknown");
  expect(check.reason).toContain("limit");
});
