import { expect, test } from "vitest";
import { BusyClock } from "../integrity/scrub/scrub.fixture.js";
import { applyCommand, foundMachine, putOf, sha256 } from "../state/machine.fixture.js";
import { createMachine } from "../state/machine.js";
import { createMemoryBackendStore } from "../verify/sim/platform/memory-backend.js";
import { MemoryDisk } from "../verify/sim/platform/memory-disk.js";
import { writeSlot } from "./backend-slot.js";
import type { Committer } from "./committer.js";
import { Defragmenter } from "./defragmenter.js";
import { StateStore } from "./state-store.js";

class Scene {
  readonly clock = new BusyClock();
  readonly backends = createMemoryBackendStore({ defer: (fn) => this.clock.defer(fn) });
  readonly state: StateStore;
  readonly defragmenter: Defragmenter;
  /** Indexes that the committer was told a crash leaves. */
  readonly durable: (number | undefined)[] = [];
  readonly ended: unknown[] = [];
  puts = 0;

  constructor() {
    const disk = new MemoryDisk((fn) => this.clock.defer(fn));
    const backend = this.backends.open("state-0");
    writeSlot(disk, "state-0");
    const world = { clock: this.clock, disk, backends: this.backends, sha256 };
    this.state = new StateStore(world, {
      name: "state-0",
      backend,
      machine: foundMachine(backend),
    });
    const committer = {
      flush: (done: () => void) => this.state.backend().commit(done),
      replaced: (meta?: { readonly index: number }) => this.durable.push(meta?.index),
      applied: () => {},
    } as unknown as Committer;
    this.defragmenter = new Defragmenter({
      ...{ committer, state: this.state },
      failed: (error) => this.ended.push(error),
      log: () => {},
    });
  }

  put(count: number): void {
    for (let at = 0; at < count; at++) {
      const key = `k${this.puts++ % 500}`;
      applyCommand(this.state.writableMachine(), {
        $case: "put",
        value: putOf(key, `${this.puts}`),
      });
    }
  }

  run(): void {
    this.defragmenter.run((refusal) => this.ended.push(refusal));
  }

  /** The state that a crash at this moment leaves in the backend in use. */
  crashed() {
    const image = this.backends.crashImages().at(-1);
    const store = createMemoryBackendStore({ defer: () => {}, ...(image && { image }) });
    return createMachine(store.open(this.state.name()), sha256);
  }
}

test("entries are applied while the backend is rewritten, and the new one lacks none of them", () => {
  const scene = new Scene();
  scene.put(1_000);
  const machine = scene.state.machine();
  scene.run();
  let turns = 0;
  while (scene.ended.length === 0) {
    // More than the last turn may take: several rounds are needed.
    scene.put(turns < 8 ? 300 : 3);
    scene.clock.work(2);
    scene.clock.step();
    turns++;
  }
  expect(scene.ended).toEqual([undefined]);
  expect(turns).toBeGreaterThan(8);
  // Reads that go on over turns hold this machine.
  expect(scene.state.machine()).toBe(machine);
  expect(scene.state.name()).toBe("state-1");
  expect(scene.durable).toEqual([scene.crashed().appliedIndex]);
  scene.put(1);
  scene.state.backend().commit(() => {});
  scene.clock.runTo(scene.clock.now());
  expect(scene.crashed().fingerprint()).toEqual(machine.fingerprint());
  expect(scene.crashed().kv.keyCount()).toBe(500);
  expect(scene.backends.list()).toEqual(["state-1"]);
});

test("a state that is replaced meanwhile, or closed, wins over the rewritten one", () => {
  const replaced = new Scene();
  replaced.put(50);
  replaced.run();
  replaced.clock.step();
  const backend = replaced.backends.open("other");
  replaced.state.replace({ name: "other", backend, machine: foundMachine(backend) });
  replaced.clock.runTo(10);
  expect(replaced.ended).toEqual([undefined]);
  expect(replaced.durable).toEqual([]);
  expect(replaced.backends.list()).toEqual(["other"]);

  const closed = new Scene();
  closed.put(50);
  closed.run();
  closed.clock.step();
  let isClosed = false;
  closed.state.close(() => {
    isClosed = true;
  });
  closed.clock.runTo(10);
  expect(isClosed).toBe(true);
  expect(closed.backends.list()).toEqual(["state-0"]);
});

test("a state that came into use after the begin is rewritten with all that was written to it", () => {
  const scene = new Scene();
  scene.put(50);
  scene.run();
  const backend = scene.backends.open("other");
  scene.state.replace({ name: "other", backend, machine: foundMachine(backend) });
  const machine = scene.state.machine();
  while (scene.ended.length === 0) {
    scene.put(3);
    scene.clock.step();
  }
  expect(scene.ended).toEqual([undefined]);
  expect(scene.state.name()).toBe("state-1");
  scene.state.backend().commit(() => {});
  scene.clock.runTo(scene.clock.now());
  expect(scene.crashed().fingerprint()).toEqual(machine.fingerprint());
});
