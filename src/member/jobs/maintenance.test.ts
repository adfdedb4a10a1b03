/**
 * Long reads while the state is replaced, given up or closed meanwhile; and the bounds of views.
 */
import { describe, expect, test } from "vitest";
import { KvError } from "../../base/errors.js";
import { BusyClock } from "../../integrity/scrub/scrub.fixture.js";
import type { Backend } from "../../platform/backend.js";
import { Bucket } from "../../platform/rows.js";
import { applyCommand, foundMachine, putOf, sha256 } from "../../state/machine.fixture.js";
import { createMachine } from "../../state/machine.js";
import { writeSlot } from "../../storage/backend-slot.js";
import { Committer, type CommitterParts } from "../../storage/committer.js";
import { Jobs } from "../../storage/jobs.js";
import { StateStore } from "../../storage/state-store.js";
import {
  clientIdleMs,
  clientLifeMs,
  clientViewsMax,
  replacedStatesMax,
  StateViews,
} from "../../storage/state-views.js";
import { createMemoryBackendStore } from "../../verify/sim/platform/memory-backend.js";
import { MemoryDisk } from "../../verify/sim/platform/memory-disk.js";
import type { SnapshotStream } from "../types.js";
import { Maintenance } from "./maintenance.js";

/** A state of some 12,000 rows: a HashKV takes three turns. */
class Scene {
  readonly clock = new BusyClock();
  readonly jobs = new Jobs(this.clock, { stepUnits: 1_300, turnMs: 0 });
  readonly backends = createMemoryBackendStore({ defer: (fn) => this.clock.defer(fn) });
  readonly failures: Error[] = [];
  readonly state: StateStore;
  readonly committer: Committer;
  readonly maintenance: Maintenance;

  constructor(rows = 12_000) {
    const disk = new MemoryDisk((fn) => this.clock.defer(fn));
    const backend = this.backends.open("state-0");
    writeSlot(disk, "state-0");
    const machine = foundMachine(backend);
    for (let at = 0; at < rows; at++) put(machine, `k${at}`);
    this.state = new StateStore(
      { clock: this.clock, disk, backends: this.backends, sha256 },
      { name: "state-0", backend, machine },
    );
    this.committer = new Committer({
      clock: this.clock,
      wal: { note: (_note: unknown, done: () => void) => done() },
      log: { firstIndex: () => 1, bytes: () => 0, term: () => undefined },
      backend: () => this.state.backend(),
      appliedMeta: () => this.state.meta(),
      proof: () => this.state.proof(),
      ...{ batchMs: 100, batchLimit: 1e9, snapshotCount: 1e9, catchupEntries: 0 },
      checkpointNote: () => undefined,
      sentIndex: () => undefined,
      isLogHeld: () => true,
      failed: (error: Error) => this.failures.push(error),
    } as unknown as CommitterParts);
    this.maintenance = new Maintenance({
      ...{ jobs: this.jobs, state: this.state, committer: this.committer },
      damaged: (error) => this.failures.push(error),
      log: (_level, message) => this.failures.push(new Error(message)),
    });
    this.committer.flush(() => {});
    this.settle();
  }

  settle(): void {
    this.clock.runTo(this.clock.now());
  }

  defragment(): void {
    const before = this.state.name();
    this.state.compactFile(this.state.recordWrites(), ({ error }) => expect(error).toBeUndefined());
    this.clock.runTo(this.clock.now());
    expect(this.state.name()).not.toBe(before);
  }

  hashKv(): { answer: { readonly hash: number } | KvError | undefined } {
    const told: { answer: { readonly hash: number } | KvError | undefined } = { answer: undefined };
    this.maintenance.hashKv(0, (answer) => {
      told.answer = answer;
    });
    return told;
  }

  snapshot(): { stream: SnapshotStream | KvError | undefined; ended: KvError | undefined } {
    const told: ReturnType<Scene["snapshot"]> = { stream: undefined, ended: undefined };
    this.maintenance.openSnapshot((stream) => {
      told.stream = stream;
      if (!(stream instanceof KvError)) {
        stream.onEnd((error) => {
          told.ended = error;
        });
      }
    });
    return told;
  }
}

function put(machine: Parameters<typeof applyCommand>[0], key: string): void {
  applyCommand(machine, { $case: "put", value: putOf(key, "value") });
}

/** All bytes of the stream, or the error that ended it. */
function readAll(stream: SnapshotStream): Buffer | KvError {
  const chunks: Uint8Array[] = [];
  for (;;) {
    const chunk = stream.next();
    if (chunk instanceof KvError) return chunk;
    if (chunk === undefined) return Buffer.concat(chunks);
    chunks.push(chunk);
  }
}

describe("HashKV", () => {
  test("goes on behind a defragmentation with the same answer", () => {
    const scene = new Scene();
    const before = scene.hashKv();
    scene.settle();
    expect(before.answer).toMatchObject({ hash: expect.any(Number) });
    const during = scene.hashKv();
    expect(during.answer).toBeUndefined();
    scene.defragment();
    expect(during.answer).toEqual(before.answer);
    expect(scene.backends.list()).toEqual(["state-1"]);
    expect(scene.failures).toEqual([]);
  });

  test("of a state that is found to be wrong has no answer, nor that of a member that stops", () => {
    const scene = new Scene();
    const wrong = scene.hashKv();
    scene.state.standIn();
    scene.settle();
    expect(wrong.answer).toEqual(new KvError("corrupt"));

    const other = new Scene();
    const stopped = other.hashKv();
    let isClosed = false;
    other.state.close(() => {
      isClosed = true;
    });
    other.settle();
    expect(stopped.answer).toEqual(new KvError("stopped"));
    expect(isClosed).toBe(true);
    expect([...scene.failures, ...other.failures]).toEqual([]);
  });
});

test("hashes and snapshots of a client that leaves are worked on no more, and let go of their view", () => {
  const scene = new Scene();
  const told: unknown[] = [];
  const cancels: (() => void)[] = [];
  const client = { onCancel: (fn: () => void) => void cancels.push(fn) };
  scene.maintenance.hashKv(0, (answer) => told.push(answer), client);
  scene.maintenance.hash((answer) => told.push(answer), client);
  scene.maintenance.openSnapshot((answer) => told.push(answer), client);
  while (cancels.length < 3) scene.clock.step();
  expect(scene.jobs.open).toBe(3);
  for (const cancel of cancels) cancel();
  expect(scene.jobs.open).toBe(0);
  scene.settle();
  expect(told).toEqual([]);
  // A view that was still held would keep the old backend.
  scene.defragment();
  scene.settle();
  expect(scene.backends.list()).toEqual(["state-1"]);
});

describe("a snapshot stream", () => {
  test("is of the state that was, however often that is replaced; then it goes", () => {
    const scene = new Scene(3_000);
    const reference = scene.snapshot();
    scene.settle();
    const expected = readAll(reference.stream as SnapshotStream);
    expect(expected).toHaveLength((reference.stream as SnapshotStream).totalBytes);
    (reference.stream as SnapshotStream).close();
    const opened = scene.snapshot();
    scene.settle();
    for (let round = 0; round < replacedStatesMax; round++) {
      put(scene.state.writableMachine(), `more${round}`);
      scene.committer.flush(() => {});
      scene.settle();
      scene.defragment();
    }
    const late = opened.stream as SnapshotStream;
    expect(readAll(late)).toEqual(expected);
    expect(scene.backends.list()).toHaveLength(2);
    late.close();
    late.close();
    scene.settle();
    expect(scene.backends.list()).toHaveLength(1);
    expect(scene.failures).toEqual([]);
  });

  test("of a wrong state ends, and so does that of a member that stops", () => {
    const scene = new Scene(3_000);
    const opened = scene.snapshot();
    scene.settle();
    scene.state.standIn();
    expect((opened.stream as SnapshotStream).next()).toEqual(new KvError("corrupt"));
    scene.settle();
    expect(opened.ended).toEqual(new KvError("corrupt"));
    const refused = scene.snapshot();
    scene.settle();
    expect(refused.stream).toEqual(new KvError("corrupt"));

    const other = new Scene(3_000);
    const stopped = other.snapshot();
    other.settle();
    let isClosed = false;
    other.state.close(() => {
      isClosed = true;
    });
    other.settle();
    expect(stopped.ended).toEqual(new KvError("stopped"));
    expect(isClosed).toBe(true);
    expect([...scene.failures, ...other.failures]).toEqual([]);
  });

  test("a row that rots ends the stream with an error and is told, once", () => {
    const scene = new Scene(3_000);
    const opened = scene.snapshot();
    scene.settle();
    const { stream } = opened;
    scene.backends.faults.flipBit("state-0", { bucket: Bucket.key, row: 2_999, bit: 9 });
    const again = scene.snapshot();
    scene.settle();
    // The stream that was open has its own view of the old rows.
    expect(readAll(stream as SnapshotStream)).toBeInstanceOf(Buffer);
    expect(readAll(again.stream as SnapshotStream)).toEqual(new KvError("corrupt"));
    expect(scene.failures.map(({ name }) => name)).toEqual(["DamageError"]);
  });
});

test("a flush under way when the state is replaced tells of the new one, also when the old one fails", () => {
  for (const isFailing of [false, true]) {
    const scene = new Scene(10);
    put(scene.state.writableMachine(), "unsaved");
    if (isFailing) scene.backends.faults.failNextCommit("state-0", new Error("EIO"));
    const told: [number, Backend][] = [];
    scene.committer.flush((proof) => told.push([proof.meta.index, scene.state.backend()]));
    const backend = scene.backends.open("snap");
    const machine = foundMachine(backend);
    for (let at = 0; at < 50; at++) put(machine, `other${at}`);
    scene.state.replace({ name: "snap", backend, machine: createMachine(backend, sha256) });
    scene.clock.runTo(1_000);
    expect(told).toEqual([[machine.appliedIndex, backend]]);
    expect(scene.failures).toEqual([]);
  }
});

describe("the views of clients", () => {
  const opened = () => {
    const clock = new BusyClock();
    const store = createMemoryBackendStore({ defer: (fn) => clock.defer(fn) });
    const ended: string[] = [];
    const told = (name: string) => (error: KvError) => ended.push(`${name} ${error.reason}`);
    return { clock, store, ended, told, views: new StateViews(clock) };
  };
  const key = Uint8Array.of(1);

  test("are bounded in number; those of the member are not", () => {
    const { store, told, views } = opened();
    const backend = store.open("a");
    const all = Array.from({ length: clientViewsMax }, () =>
      views.openForClient(backend, told("")),
    );
    expect(() => views.openForClient(backend, told(""))).toThrow(new KvError("tooManyViews"));
    const own = views.open(backend);
    expect(() => views.openForClient(backend, told(""))).toThrow(new KvError("tooManyViews"));
    all[3]?.close();
    views.openForClient(backend, told("")).close();
    own.close();
  });

  test("end when nothing is taken for a while, or after a long time", () => {
    const { clock, store, ended, told, views } = opened();
    const backend = store.open("a");
    const idle = views.openForClient(backend, told("idle"));
    const busy = views.openForClient(backend, told("busy"));
    const own = views.open(backend);
    while (clock.now() < clientIdleMs + 10_000) {
      busy.touch();
      clock.runTo(clock.now() + 1_000);
    }
    expect(ended).toEqual(["idle viewTooSlow"]);
    expect(() => idle.get(Bucket.key, key)).toThrow(new KvError("viewTooSlow"));
    expect(busy.get(Bucket.key, key)).toBeUndefined();
    while (clock.now() < clientLifeMs + 10_000) {
      busy.touch();
      clock.runTo(clock.now() + 20_000);
    }
    expect(ended).toEqual(["idle viewTooSlow", "busy viewTooSlow"]);
    expect(own.get(Bucket.key, key)).toBeUndefined();
    own.close();
    // No timer is left.
    expect(clock.step()).toBe(false);
  });

  test("of the oldest replaced state end when there are too many of those", () => {
    const { clock, store, ended, told, views } = opened();
    for (let number = 0; number <= replacedStatesMax; number++) {
      const backend = store.open(`s${number}`);
      views.openForClient(backend, told(`s${number}`));
      views.replaced(backend);
      clock.runTo(clock.now());
      expect(ended).toEqual(number < replacedStatesMax ? [] : ["s0 viewReplaced"]);
    }
  });
});
