import { describe, expect, test } from "vitest";
import type { Operation } from "../../history/types.js";
import {
  type AtomicState,
  emptyAtomicState,
  isWithin,
  stepAtomic,
} from "./fixtures/atomic-store.fixture.js";
import { bruteForce } from "./fixtures/brute-force.fixture.js";
import {
  type GeneratorOptions,
  generateEtcdHistory,
} from "./fixtures/history-generator.fixture.js";

const usual = { operations: 1_500, clients: 8, keys: 12, unknownPerMille: 30, watches: 6 };
const small = { operations: 7, clients: 3, keys: 2, unknownPerMille: 150 };

function replayed(options: GeneratorOptions) {
  const generated = generateEtcdHistory(options);
  const states = new Map<number, AtomicState>([[1, emptyAtomicState]]);
  let state = emptyAtomicState;
  for (const request of generated.ground) {
    state = stepAtomic(state, request, (revision) => states.get(revision)).state;
    states.set(state.revision, state);
  }
  return { ...generated, states, last: state };
}

describe("a generated history", () => {
  test("is the same for the same seed and another for another", () => {
    const one = generateEtcdHistory({ ...usual, seed: 1 });
    expect(generateEtcdHistory({ ...usual, seed: 1 })).toEqual(one);
    expect(generateEtcdHistory({ ...usual, seed: 2 }).history).not.toEqual(one.history);
  });

  test("has answers that its ground explains, each kind of request and outcome", () => {
    const { history, states, last, revision } = replayed({ ...usual, seed: 3 });
    expect(last.revision).toBe(revision);
    const seen = new Set<string>();
    for (const { request, outcome } of history.operations) {
      seen.add(request.kind).add(outcome.kind);
      if (outcome.kind !== "ok" || request.kind !== "range") continue;
      const state = states.get(outcome.revision) as AtomicState;
      const read = { ...request, revision: 0 };
      const at = states.get(request.revision || outcome.revision) as AtomicState;
      expect(outcome.revision).toBeGreaterThanOrEqual(request.revision ?? 0);
      expect(state.revision).toBe(outcome.revision);
      expect(stepAtomic(at, read, () => undefined).answer).toEqual(outcome.answer);
    }
    for (const kind of [
      "txn",
      "delete",
      "compact",
      "leaseGrant",
      "leaseRevoke",
      "leaseKeepAlive",
    ]) {
      expect(seen).toContain(kind);
    }
    expect(seen).toContain("unknown");
    expect(seen).toContain("refused");
  });

  test("never answers a linearizable request with less than was acknowledged before", () => {
    const { history } = generateEtcdHistory({ ...usual, seed: 4 });
    const answered = history.operations.filter(isLinearizable);
    for (const later of answered) {
      const before = answered.filter(({ returnUs }) => (returnUs as number) < later.callUs);
      const least = Math.max(1, ...before.map(revisionOf));
      expect(revisionOf(later)).toBeGreaterThanOrEqual(least);
    }
  });

  test("watches see each wanted event once, in order, up to the end", () => {
    const { history, ground, revision } = generateEtcdHistory({ ...usual, seed: 5 });
    expect(ground.length).toBeGreaterThan(500);
    const whole = history.watches.filter(({ responses }) => responses.at(-1)?.canceled !== true);
    expect(whole.length).toBeGreaterThan(0);
    for (const { range, revision: asked, filters, responses } of whole) {
      const from = asked === 0 ? (responses[0]?.revision ?? 0) + 1 : asked;
      const expected = eventsFrom(ground, from).filter(
        ({ key, type }) => isWithin(range, key) && !filters.includes(type),
      );
      const events = responses.flatMap((response) => response.events);
      expect(events.map(({ mod, key }) => `${mod} ${key}`)).toEqual(
        expected.map(({ mod, key }) => `${mod} ${key}`),
      );
      expect(Math.max(...responses.map((response) => response.revision))).toBe(revision);
    }
  });
});

describe("the brute force", () => {
  test("finds an order of every small history", () => {
    for (let seed = 0; seed < 300; seed++) {
      const { history } = generateEtcdHistory({ ...small, seed });
      expect(bruteForce(history.operations), `seed ${seed}`).toBeDefined();
    }
  });

  test.each(["staleRead", "duplicateRevision"] as const)("finds none with a %s", (kind) => {
    let broken = 0;
    for (let seed = 0; seed < 300; seed++) {
      const bug = { kind, from: 2 };
      const { history, brokenId } = generateEtcdHistory({
        ...small,
        seed,
        unknownPerMille: 0,
        bug,
      });
      if (brokenId === undefined) continue;
      broken++;
      expect(bruteForce(history.operations), `seed ${seed}`).toBeUndefined();
    }
    expect(broken).toBeGreaterThan(20);
  });
});

function isLinearizable({ request, outcome }: Operation): boolean {
  const isLocal = request.kind === "range" && request.serializable === true;
  return outcome.kind === "ok" && !isLocal;
}

function revisionOf({ outcome }: Operation): number {
  return outcome.kind === "ok" ? outcome.revision : 0;
}

function eventsFrom(ground: ReturnType<typeof generateEtcdHistory>["ground"], from: number) {
  const states = new Map<number, AtomicState>([[1, emptyAtomicState]]);
  let state = emptyAtomicState;
  return ground.flatMap((request) => {
    const step = stepAtomic(state, request, (revision) => states.get(revision));
    state = step.state;
    states.set(state.revision, state);
    return step.events.filter(({ mod }) => mod >= from);
  });
}
