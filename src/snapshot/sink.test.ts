/** A state of many pieces is fetched whole or not at all, in whatever order steps end. */
import { describe, expect, test } from "vitest";
import type { Done } from "../base/done.js";
import { KvError } from "../base/errors.js";
import { PeerMethod } from "../peers/codec.js";
import { applyCommand, foundMachine, putOf, sha256 } from "../state/machine.fixture.js";
import { Dice } from "../verify/sim/plan/dice.js";
import { createMemoryBackendStore } from "../verify/sim/platform/memory-backend.js";
import { proveFetched } from "./prove-fetched.js";
import { SnapshotSink } from "./sink.js";
import { SnapshotSource } from "./source.js";

const confState = {
  ...{ voters: [], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false },
};

/** Callbacks that wait; they run in a random order. */
class Waiting {
  readonly #all: (() => void)[] = [];
  readonly push = (fn: () => void): void => {
    this.#all.push(fn);
  };

  settle(dice: Dice): void {
    for (let turn = 0; this.#all.length > 0; turn++) {
      const [next] = this.#all.splice(dice.int(this.#all.length, turn), 1);
      next?.();
    }
  }
}

/** A state of 24 MiB: 48 pieces, three commits. */
function largeSource() {
  const store = createMemoryBackendStore({ defer: (fn) => fn() });
  const backend = store.open("source");
  const machine = foundMachine(backend);
  for (let i = 0; i < 48; i++) {
    const put = putOf(`key ${i}`, String.fromCharCode(65 + (i % 26)).repeat(512 * 1024));
    applyCommand(machine, { $case: "put", value: put });
  }
  const meta = { index: machine.appliedIndex, term: machine.appliedTerm, confState };
  const source = new SnapshotSource({
    clock: { now: () => 0, after: () => ({ cancel: () => {} }) } as never,
    freeze: (done) =>
      backend.commit(() => done({ view: backend.snapshot(), meta, root: machine.digests().root })),
    oldestUsable: () => 0,
    confState: () => confState,
  });
  source.latest();
  return { source, meta, root: machine.digests().root };
}

const origin = largeSource();

type Tamper = (answer: Uint8Array | KvError, piece: number) => Uint8Array | KvError;

function fetchAll(seed: number, tamper: Tamper = (answer) => answer) {
  const dice = new Dice(seed);
  const waiting = new Waiting();
  const store = createMemoryBackendStore({ defer: waiting.push });
  let pieces = 0;
  let pulls = 0;
  let most = 0;
  const request = (_to: bigint, method: number, body: Uint8Array, done: Done<Uint8Array>): void => {
    most = Math.max(most, ++pulls);
    waiting.push(() => {
      pulls--;
      const isManifest = method === PeerMethod.snapshotManifest;
      if (isManifest) done(origin.source.manifest(2n, origin.meta.index));
      else done(tamper(origin.source.chunk(2n, body), pieces++));
    });
  };
  const sink = new SnapshotSink({
    backends: store,
    request,
    verify: (fetched, isStopped, done) => {
      expect([...fetched.root]).toEqual([...origin.root]);
      proveFetched(
        fetched,
        { clock: { now: () => 0, defer: waiting.push } as never, sha256, isStopped },
        done,
      );
    },
    log: () => {},
  });
  const ends: (Error | undefined)[] = [];
  sink.fetch(2n, origin.meta.index, (error) => ends.push(error));
  return {
    store,
    sink,
    ends,
    settle: () => waiting.settle(dice),
    pieces: () => pieces,
    most: () => most,
  };
}

describe.each([1, 2, 3])("order %i", (seed) => {
  test("all pieces, one asked for at a time, one verified state", () => {
    const run = fetchAll(seed);
    run.settle();
    expect(run.ends).toEqual([undefined]);
    const fetched = run.sink.take(origin.meta.index);
    expect(Buffer.from(fetched?.machine.digests().root ?? [])).toEqual(Buffer.from(origin.root));
    expect(fetched?.machine.kv.keyCount()).toBe(48);
    expect(run.most()).toBe(1);
  });

  test("a lost and a damaged piece are asked for again", () => {
    const run = fetchAll(seed, (answer, piece) => {
      if (piece === 5) return new KvError("timeout");
      if (piece !== 20 || answer instanceof KvError) return answer;
      return answer.slice(0, -1);
    });
    run.settle();
    expect(run.ends).toEqual([undefined]);
    expect(run.pieces()).toBeGreaterThanOrEqual(50);
  });

  test("a failing commit or a source that is gone ends it once, and nothing stays", () => {
    const gone = fetchAll(seed, (answer, piece) =>
      piece > 40 ? new KvError("compacted") : answer,
    );
    gone.settle();
    expect(gone.ends).toEqual([new KvError("compacted")]);
    expect(gone.store.list()).toEqual([]);

    const full = fetchAll(seed);
    const [name] = full.store.list();
    full.store.faults.failNextCommit(name as string, new Error("ENOSPC"));
    full.settle();
    expect(full.ends).toEqual([new Error("ENOSPC")]);
    expect(full.store.list()).toEqual([]);
  });

  test("another offer takes its place in the middle", () => {
    const run = fetchAll(seed, (answer, piece) => {
      if (piece === 30) run.sink.fetch(3n, origin.meta.index, (error) => run.ends.push(error));
      return answer;
    });
    run.settle();
    expect(run.ends).toEqual([undefined]);
    expect(run.store.list()).toHaveLength(1);
    expect(run.sink.take(origin.meta.index)?.machine.kv.keyCount()).toBe(48);
  });
});
