import { describe, expect, test } from "vitest";
import type { Rng } from "../../platform/rng.js";
import type { History, Operation, Watch, WatchResponse } from "../history/types.js";
import {
  operationBreakers,
  watchBreakers,
} from "../linearizability/etcd/fixtures/history-breaker.fixture.js";
import { generateEtcdHistory } from "../linearizability/etcd/fixtures/history-generator.fixture.js";
import { Replay } from "../linearizability/etcd/replay.js";
import { Dice } from "../sim/plan/dice.js";
import { validateSerializable } from "./serializable.js";
import { validateWatches } from "./validate-watches.js";

const size = { operations: 400, clients: 6, keys: 6, unknownPerMille: 20, watches: 8 };
const seeds = 30;
/** Made once, because making them takes longer than judging them. */
const known = new Map<number, { readonly history: History; readonly truth: Replay }>();

function generated(seed: number): { readonly history: History; readonly truth: Replay } {
  let one = known.get(seed);
  if (one === undefined) {
    const { history, ground } = generateEtcdHistory({ ...size, seed });
    one = { history, truth: Replay.of(ground) };
    known.set(seed, one);
  }
  return one;
}

/** Rules that fail when one watch of a true history is changed, over some seeds. */
function broken(breaker: (history: History, rng: Rng) => History | undefined) {
  const rules: string[][] = [];
  for (let seed = 0; seed < seeds; seed++) {
    const { history, truth } = generated(seed);
    const lie = breaker(history, new Dice(seed).sequence());
    if (lie === undefined) continue;
    const found = new Set(validateWatches(lie.watches, truth).map(({ rule }) => rule));
    rules.push([...found].sort());
  }
  return rules;
}

describe("watches of generated histories", () => {
  test("are accepted as they are", () => {
    let events = 0;
    for (let seed = 0; seed < seeds; seed++) {
      const { history, truth } = generated(seed);
      expect(validateWatches(history.watches, truth), `seed ${seed}`).toEqual([]);
      for (const { responses } of history.watches) {
        for (const response of responses) events += response.events.length;
      }
    }
    expect(events).toBeGreaterThan(5_000);
  });

  const expected: Readonly<Record<string, readonly string[]>> = {
    "phantom event": ["filter", "reliable"],
    // An answer that loses its only event looks like progress.
    "lost event": ["reliable", "bookmarkable"],
    "doubled event": ["unique"],
    "wrong value in an event": ["reliable"],
    "wrong previous value": ["prev-kv"],
    "progress beyond what was delivered": ["bookmarkable"],
  };
  test.each(Object.entries(watchBreakers))("are rejected with a %s", (name, breaker) => {
    const rules = broken(breaker);
    expect(rules.length).toBeGreaterThan(10);
    for (const found of rules) expect(expected[name]).toEqual(expect.arrayContaining(found));
    expect(rules).not.toContainEqual([]);
  });

  test("are rejected with two events that changed places", () => {
    const rules = broken((history, rng) =>
      changeResponse(history, rng, (response) => {
        const { events } = response;
        const at = events.findIndex(({ mod }, place) => mod < (events[place + 1]?.mod ?? 0));
        if (at < 0) return undefined;
        const swapped = [events[at + 1] as never, events[at] as never];
        return [{ ...response, events: events.toSpliced(at, 2, ...swapped) }];
      }),
    );
    expect(rules.length).toBeGreaterThan(10);
    for (const found of rules) expect(found).toContain("ordered");
  });

  test("are rejected with a revision in two answers", () => {
    const rules = broken((history, rng) =>
      changeResponse(history, rng, (response) => {
        const { events } = response;
        const at = events.findIndex(({ mod }, place) => mod === events[place + 1]?.mod);
        if (at < 0) return undefined;
        const [first, second] = [events.slice(0, at + 1), events.slice(at + 1)];
        return [
          { ...response, events: first },
          { ...response, events: second },
        ];
      }),
    );
    expect(rules.length).toBeGreaterThan(10);
    for (const found of rules) expect(found).toEqual(["atomic"]);
  });
});

describe("serializable reads of generated histories", () => {
  test("are accepted as they are", () => {
    let local = 0;
    for (let seed = 0; seed < seeds; seed++) {
      const { history, truth } = generated(seed);
      expect(validateSerializable(history.operations, truth), `seed ${seed}`).toEqual([]);
      local += history.operations.filter(isLocal).length;
    }
    expect(local).toBeGreaterThan(200);
  });

  test.each([
    "wrong version",
    "wrong create revision",
    "value that nobody wrote",
    "lease that nobody granted",
    "key that nobody wrote",
    "wrong count",
  ])("are rejected with a %s", (name) => {
    let lies = 0;
    for (let seed = 0; seed < seeds; seed++) {
      const { history, truth } = generated(seed);
      const breaker = operationBreakers[name];
      // The breakers do not touch local reads, so this test passes them as linearizable ones.
      const asked = history.operations.filter(isLocal).map(withSerializable(false));
      const lie = breaker?.({ ...history, operations: asked }, new Dice(seed).sequence());
      if (lie === undefined) continue;
      lies++;
      const found = validateSerializable(lie.operations.map(withSerializable(true)), truth);
      expect(
        found.map(({ invariant }) => invariant),
        `seed ${seed}`,
      ).toEqual(["C4"]);
    }
    expect(lies).toBeGreaterThan(10);
  });
});

function isLocal({ request }: Operation): boolean {
  return request.kind === "range" && request.serializable === true;
}

function withSerializable(serializable: boolean): (operation: Operation) => Operation {
  return (operation) => {
    const { request } = operation;
    return request.kind === "range"
      ? { ...operation, request: { ...request, serializable } }
      : operation;
  };
}

function changeResponse(
  history: History,
  rng: Rng,
  change: (response: WatchResponse) => readonly WatchResponse[] | undefined,
): History | undefined {
  const changes = history.watches.flatMap((watch) =>
    watch.responses.flatMap((response, at) => {
      const answers = change(response);
      return answers === undefined ? [] : [{ watch, at, answers }];
    }),
  );
  const one = changes.length === 0 ? undefined : changes[rng.int(changes.length)];
  if (one === undefined) return undefined;
  const responses = one.watch.responses.toSpliced(one.at, 1, ...one.answers);
  const lie: Watch = { ...one.watch, responses };
  return { ...history, watches: history.watches.map((old) => (old === one.watch ? lie : old)) };
}
