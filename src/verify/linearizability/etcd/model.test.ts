import { describe, expect, test } from "vitest";
import type { KeyValue, Op, Request } from "../../history/types.js";
import { Dice } from "../../sim/plan/dice.js";
import { type AtomicState, emptyAtomicState, stepAtomic } from "./fixtures/atomic-store.fixture.js";
import { generateEtcdHistory } from "./fixtures/history-generator.fixture.js";
import { drawNested } from "./fixtures/request-draw.fixture.js";
import { EtcdState, step } from "./model.js";
import { Replay } from "./replay.js";

const shape = { operations: 600, clients: 4, keys: 6, unknownPerMille: 30 };
const whole = { key: "", end: "\0" };
const put = (key: string, value = "v", lease?: string): Request => ({
  kind: "put",
  key,
  value,
  ...(lease === undefined ? {} : { lease }),
});

/** All requests, answered or not, in the order of calls. */
function requests(seed: number): readonly Request[] {
  const { history } = generateEtcdHistory({ ...shape, seed });
  return history.operations.map(({ request, id }) =>
    request.kind === "leaseGrant" && request.id === "0"
      ? { ...request, id: `${9e6 + id}` }
      : request,
  );
}

describe("model, replay and atomic store, three programs,", () => {
  test("answer and refuse alike", () => {
    for (let seed = 0; seed < 6; seed++) {
      const states = new Map<number, AtomicState>([[1, emptyAtomicState]]);
      let atomic = emptyAtomicState;
      let state = EtcdState.empty;
      const replay = new Replay();
      for (const request of requests(seed)) {
        const expected = stepAtomic(atomic, request, (revision) => states.get(revision));
        atomic = expected.state;
        states.set(atomic.revision, atomic);
        const stepped = step(state, request);
        state = stepped.state;
        const { effect, revision } = replay.append(request);
        expect(effect).toEqual(stepped.effect);
        if (effect.error !== undefined) expect(effect.error).toBe(expected.error);
        else {
          expect(effect.answer).toEqual(expected.answer);
          expect(effect.events.toSorted((a, b) => (a.key < b.key ? -1 : 1))).toEqual(
            expected.events,
          );
        }
        expect([state.revision, revision]).toEqual([atomic.revision, atomic.revision]);
        expect(state.compactRevision).toBe(atomic.compactRevision);
      }
      expect(state.range(whole)).toEqual(sorted(atomic));
      expect(replay.range(whole)).toEqual(sorted(atomic));
    }
  });

  test("answer transactions in transactions alike", () => {
    const rng = new Dice(11).sequence();
    const leases: string[] = [];
    let atomic = emptyAtomicState;
    const replay = new Replay();
    for (let id = 1; id <= 400; id++) {
      const request = drawNested({ rng, state: atomic, keys: 5, id, leases });
      const expected = stepAtomic(atomic, request, () => undefined);
      atomic = expected.state;
      const { effect } = replay.append(request);
      expect(effect).toMatchObject({ answer: expected.answer });
      expect(replay.range(whole)).toEqual(sorted(atomic));
    }
  });

  test("show every revision as it was, also when it was compacted", () => {
    const all = requests(77);
    const replay = Replay.of(all);
    let state = EtcdState.empty;
    const past = [EtcdState.empty];
    for (const request of all) {
      state = step(state, request).state;
      past[state.revision] = state;
    }
    for (let revision = 1; revision <= replay.revision; revision++) {
      const expected = (past[revision] ?? EtcdState.empty).range(whole);
      expect(replay.at(revision).range(whole)).toEqual(expected);
      expect(state.at(revision).range(whole)).toEqual(expected);
      for (const { key, mod } of replay.eventsAt(revision)) {
        expect(mod).toBe(revision);
        expect(replay.at(revision).get(key)).toEqual(past[revision]?.get(key));
      }
    }
  });
});

test("a step leaves the state before it as it was", () => {
  const before = step(EtcdState.empty, put("a")).state;
  const content = before.content();
  for (const request of requests(5)) step(before, request);
  expect(before.content()).toBe(content);
});

test("what a replay takes back is as if it had never been", () => {
  const all = requests(6);
  const replay = Replay.of(all.slice(0, 200));
  const before = snapshot(replay);
  for (const request of all.slice(200)) replay.append(request);
  expect(snapshot(replay)).not.toEqual(before);
  while (replay.entries.length > 200) replay.undo();
  expect(snapshot(replay)).toEqual(before);
  for (const request of all.slice(200)) replay.append(request);
  expect(snapshot(replay)).toEqual(snapshot(Replay.of(all)));
});

describe("the key space", () => {
  test("a transaction writes one revision, its operations see each other, compares see before", () => {
    const replay = Replay.of([put("a", "1"), put("b", "2")]);
    const { effect, revision } = replay.append({
      kind: "txn",
      compares: [
        { key: "a", target: "value", result: "<", value: "2" },
        { key: "c", target: "version", result: "=", value: 0 },
        { key: "a", target: "create", result: "!=", value: 3 },
        { key: "b", target: "lease", result: "=", value: "0" },
        { key: "b", target: "mod", result: ">", value: 2 },
      ],
      success: [
        { kind: "delete", key: "a" },
        { kind: "put", key: "c", value: "3" },
        { kind: "range", ...whole },
        { kind: "range", key: "a", revision: 2 },
      ],
      failure: [],
    });
    expect(revision).toBe(4);
    expect(effect).toMatchObject({
      answer: {
        succeeded: true,
        answers: [
          { deleted: 1 },
          { kind: "put" },
          { count: 2, kvs: [{ key: "b" }, { key: "c", create: 4, version: 1 }] },
          { count: 1, kvs: [{ key: "a", value: "1" }] },
        ],
      },
      events: [
        { type: "delete", key: "a", prev: { value: "1" } },
        { type: "put", key: "c" },
      ],
    });
  });

  test("a transaction in a transaction decides by the store before both, and is refused as a whole", () => {
    const inner = (more: readonly Op[]): Op => ({
      kind: "txn",
      compares: [{ key: "a", target: "version", result: "=", value: 1 }],
      success: [{ kind: "range", key: "a" }, ...more],
      failure: [{ kind: "delete", key: "a" }],
    });
    const ask = (more: readonly Op[]): Request => ({
      ...{ kind: "txn", compares: [], failure: [] },
      success: [{ kind: "put", key: "a", value: "2" }, inner(more)],
    });
    const replay = Replay.of([put("a", "1")]);
    expect(replay.append(ask([{ kind: "range", key: "a", revision: 9 }])).effect.error).toMatch(
      /future revision/,
    );
    expect(replay.revision).toBe(2);
    expect(replay.append(ask([])).effect).toMatchObject({
      answer: {
        succeeded: true,
        answers: [
          { kind: "put" },
          {
            kind: "txn",
            succeeded: true,
            answers: [{ kvs: [{ value: "2", mod: 3, version: 2 }] }],
          },
        ],
      },
      events: [{ type: "put", key: "a", value: "2", mod: 3 }],
    });
  });

  test("a value that is not there is neither equal nor different", () => {
    const ask = (result: "=" | "!=") =>
      Replay.of([]).append({
        kind: "txn",
        compares: [{ key: "a", target: "value", result, value: "" }],
        success: [],
        failure: [],
      }).effect;
    expect(ask("=")).toMatchObject({ answer: { succeeded: false } });
    expect(ask("!=")).toMatchObject({ answer: { succeeded: false } });
  });

  test("a lease takes its keys with it in one revision, but not those that left it", () => {
    const grant = { kind: "leaseGrant", id: "7", ttl: 5 } as const;
    const replay = Replay.of([grant, put("a", "1", "7"), put("b", "1", "7"), put("c", "1", "7")]);
    replay.append(put("b", "2"));
    const { effect, revision } = replay.append({ kind: "leaseRevoke", id: "7" });
    expect(effect).toMatchObject({ events: [{ key: "a" }, { key: "c" }] });
    expect(revision).toBe(6);
    expect(replay.range(whole).map(({ key }) => key)).toEqual(["b"]);
    const again = replay.append({ kind: "leaseRevoke", id: "7" });
    expect(again.effect.error).toBe("etcdserver: requested lease not found");
    expect(replay.append(put("d", "1", "7")).effect.error).toBe(again.effect.error);
    replay.append(grant);
    expect(replay.append(grant).effect.error).toBe("etcdserver: lease already exists");
    expect(replay.revision).toBe(6);
  });

  test("compaction forbids what is below it, and itself again", () => {
    const replay = Replay.of([put("a"), put("a"), put("a"), { kind: "compact", revision: 3 }]);
    const read = (revision: number) =>
      replay.append({ kind: "range", key: "a", revision }).effect.error;
    const compacted = "etcdserver: mvcc: required revision has been compacted";
    const future = "etcdserver: mvcc: required revision is a future revision";
    expect([2, 3, 4, 5].map(read)).toEqual([compacted, undefined, undefined, future]);
    expect(replay.append({ kind: "compact", revision: 3 }).effect.error).toBe(compacted);
    expect(replay.append({ kind: "compact", revision: 5 }).effect.error).toBe(future);
  });
});

function sorted({ keys }: AtomicState): readonly KeyValue[] {
  return [...keys.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}

function snapshot(replay: Replay): unknown {
  const revisions = Array.from({ length: replay.revision }, (_, at) => at + 1);
  return {
    entries: replay.entries.length,
    compactRevision: replay.compactRevision,
    states: revisions.map((revision) => replay.at(revision).range(whole)),
    events: [...replay.eventsBetween(0, replay.revision)],
    positions: revisions.map((at) => [replay.firstPosition(at), replay.lastPosition(at)]),
    leases: [...replay.leaseIds()].sort().map((id) => [id, replay.ttlOf(id), replay.keysOf(id)]),
  };
}
