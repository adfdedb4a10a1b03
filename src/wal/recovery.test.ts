/**
 * The log on a disk that loses, tears and reorders writes. After every crash everything acknowledged
 * is there.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Disk, DiskFile } from "../platform/disk.js";
import { Dice } from "../verify/sim/plan/dice.js";
import { MemoryDisk } from "../verify/sim/platform/memory-disk.js";
import {
  appendCommit,
  confState,
  entry,
  founding,
  options,
  Queue,
  segmentsOf,
} from "./wal.fixture.js";
import { createWal, openWal, type Recovered, type Wal } from "./wal.js";

/** The content of a log, as text. */
function shown({ hardState, snapshot, entries: list }: State): string {
  const from = snapshot?.index ?? 0;
  const kept = list.filter(({ index }) => index > from);
  const texts = kept.map(({ index, term, data }) => `${index}/${term}/${data.length}`);
  return `${hardState.term}.${hardState.commit} after ${from}: ${texts.join(" ")}`;
}

type State = Omit<Recovered, "metadata" | "notes">;

let lives = 0;

/** Writes random batches, and knows which states of the log a crash may leave. */
class Writer {
  wal: Wal;
  /** The state after each batch. A recovery gives none from before `#acknowledged`. */
  #states: State[];
  #acknowledged = 0;
  readonly #life = ++lives;

  constructor(wal: Wal, state: State) {
    this.wal = wal;
    this.#states = [state];
  }

  get state(): State {
    return this.#states.at(-1) as State;
  }

  write(entriesNew: number, back: number): void {
    const { hardState, entries: list, snapshot } = this.state;
    const last = list.at(-1)?.index ?? snapshot?.index ?? 0;
    const from = Math.max((snapshot?.index ?? 0) + 1, last + 1 - back);
    const term = hardState.term + (back > 0 ? 1 : 0);
    const added = Array.from({ length: entriesNew }, (_, at) =>
      entry(from + at, term, "x".repeat((from * 37 + at * 11) % 200)),
    );
    const kept = list.filter(({ index }) => index < from);
    const next = { term, vote: 5n, commit: from };
    const done = this.#add({ hardState: next, snapshot, entries: [...kept, ...added] });
    this.wal.append({ hardState: next, entries: added, snapshot: undefined, mustSync: true }, done);
  }

  commit(): void {
    const hardState = { ...this.state.hardState, commit: this.state.hardState.commit + 1 };
    this.#add({ ...this.state, hardState });
    // A batch that needs no sync is answered before it is durable.
    appendCommit(this.wal, hardState);
  }

  compact(): void {
    const at = this.state.entries[this.state.entries.length >> 1];
    if (at === undefined || at.index <= (this.state.snapshot?.index ?? 0)) return;
    const snapshot = { index: at.index, term: at.term, confState };
    const done = this.#add({ ...this.state, snapshot });
    const { wal } = this;
    wal.saveSnapshot(snapshot, () => {
      done();
      wal.purge(snapshot.index);
    });
  }

  /** Adds a note with the number of states before it. */
  note(): void {
    this.wal.note(
      () => new TextEncoder().encode(`${this.#life} ${this.#states.length}`),
      () => {},
    );
  }

  install(): void {
    const last = this.state.entries.at(-1)?.index ?? this.state.snapshot?.index ?? 0;
    const snapshot = { index: last + 10, term: this.state.hardState.term, confState };
    const done = this.#add({ ...this.state, snapshot, entries: [] });
    this.wal.append({ hardState: undefined, entries: [], snapshot, mustSync: true }, done);
  }

  /** The recovered log must be one of the states since the acknowledged one. */
  check(recovered: Recovered): void {
    const possible = this.#states.slice(this.#acknowledged).map(shown);
    expect(possible).toContain(shown(recovered));
    // If a note is there, everything written before it is there, too.
    const newest = new TextDecoder().decode(recovered.notes.at(-1)).split(" ").map(Number);
    const reached = this.#acknowledged + possible.lastIndexOf(shown(recovered));
    if (newest[0] === this.#life) expect(newest[1]).toBeLessThanOrEqual(reached + 1);
  }

  #add(state: State): () => void {
    const reached = this.#states.push(state) - 1;
    return () => {
      this.#acknowledged = reached;
    };
  }
}

const start: State = { hardState: founding.hardState, snapshot: undefined, entries: [] };

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("write"),
      size: fc.integer({ min: 1, max: 5 }),
      back: fc.nat(3),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      { kind: "commit" },
      { kind: "compact" },
      { kind: "install" },
      { kind: "note" },
    ),
  },
  { weight: 4, arbitrary: fc.constantFrom({ kind: "complete" }, { kind: "settle" }) },
  { weight: 1, arbitrary: fc.constantFrom({ kind: "kill" }, { kind: "powerFailure" }) },
) as fc.Arbitrary<{ readonly kind: string; readonly size?: number; readonly back?: number }>;

test("whenever it ends, the log holds all that was acknowledged, whole batches, nothing invented", () => {
  fc.assert(
    fc.property(fc.nat(), fc.array(step, { minLength: 1, maxLength: 60 }), (seed, steps) => {
      const rng = new Dice(seed).sequence();
      let queue = new Queue();
      let disk = new MemoryDisk(queue.push);
      let writer = new Writer(createWal(disk, founding, options), start);
      const reopen = (next: MemoryDisk): void => {
        disk = next;
        const { wal, recovered } = openWal(disk, options);
        writer.check(recovered);
        writer = new Writer(wal, recovered);
      };
      for (const { kind, size, back } of [...steps, { kind: "kill" }, { kind: "powerFailure" }]) {
        if (kind === "write") writer.write(size ?? 0, back ?? 0);
        else if (kind === "commit") writer.commit();
        else if (kind === "compact") writer.compact();
        else if (kind === "install") writer.install();
        else if (kind === "note") writer.note();
        else if (kind === "complete") queue.step();
        else if (kind === "settle") queue.settle();
        else {
          queue = new Queue();
          const { push } = queue;
          reopen(kind === "kill" ? disk.orphaned(push) : disk.crashed(rng, push));
        }
      }
    }),
    { numRuns: 400 },
  );
});

/** Thrown at the nth call that changes the disk; the call may or may not have taken effect. */
class PowerFailure extends Error {}

function failingAfter(disk: MemoryDisk, calls: number): { disk: Disk; used: () => number } {
  let used = 0;
  const counted = <T extends object>(target: T, names: readonly string[]): T =>
    new Proxy(target, {
      get(_, name, self) {
        const value = Reflect.get(target, name) as unknown;
        if (typeof value !== "function") return value;
        // Power may fail between its write and its sync.
        if (name === "writeAndSync") {
          return (...[position, bytes, done]: Parameters<DiskFile["writeAndSync"]>) => {
            self.write(position, bytes);
            self.sync(done);
          };
        }
        return (...args: unknown[]) => {
          const counts = names.includes(String(name));
          if (counts && ++used > calls) throw new PowerFailure();
          const result = (value as (...args: unknown[]) => unknown).apply(target, args);
          return name === "open"
            ? counted(result as DiskFile, ["write", "writeAhead", "sync", "syncNow", "allocate"])
            : result;
        };
      },
    });
  const names = ["open", "makeDir", "remove", "rename", "syncDir"];
  return { disk: counted(disk, names), used: () => used };
}

/** Writes a log with rotations, a new tail, markers and purges, until the power fails. */
function busyLife(disk: Disk, queue: Queue): Writer | undefined {
  let writer: Writer | undefined;
  try {
    writer = new Writer(createWal(disk, founding, options), start);
    writer.wal.onFailure((error) => {
      throw error;
    });
    for (let round = 0; round < 24; round++) {
      writer.write(1 + (round % 4), round % 5 === 4 ? 2 : 0);
      if (round % 3 === 0) writer.commit();
      if (round % 8 === 7) writer.compact();
      if (round === 13) writer.install();
      if (round % 2 === 0) queue.settle();
      else queue.step();
    }
    queue.settle();
  } catch (error) {
    if (!(error instanceof PowerFailure)) throw error;
  }
  return writer;
}

/** Only the process dies. The next process continues to write, and then the power fails. */
function diesAgain(left: MemoryDisk, seed: number): void {
  const queue = new Queue();
  const disk = left.orphaned(queue.push);
  const { wal, recovered } = openWal(disk, options);
  const next = new Writer(wal, recovered);
  next.write(1, 0);
  queue.settle();
  const after = openWal(
    disk.crashed(new Dice(seed).sequence(), () => {}),
    options,
  );
  next.check(after.recovered);
}

test("power fails at every single call to the disk", () => {
  const total = (): number => {
    const queue = new Queue();
    const { disk, used } = failingAfter(new MemoryDisk(queue.push), Number.POSITIVE_INFINITY);
    busyLife(disk, queue);
    return used();
  };
  const calls = total();
  expect(calls).toBeGreaterThan(100);
  for (let last = 0; last <= calls; last++) {
    const queue = new Queue();
    const memory = new MemoryDisk(queue.push);
    const writer = busyLife(failingAfter(memory, last).disk, queue);
    for (let seed = 0; seed < 4; seed++) {
      const disk = memory.crashed(new Dice(seed).sequence(), () => {});
      if (segmentsOf(disk).length === 0) {
        // The log was not founded, and founding can be repeated over what is there.
        expect(writer).toBeUndefined();
        createWal(disk, founding, options);
        continue;
      }
      const { recovered } = openWal(disk, options);
      (writer ?? new Writer(undefined as unknown as Wal, start)).check(recovered);
    }
    if (writer !== undefined) diesAgain(memory, last);
  }
});
