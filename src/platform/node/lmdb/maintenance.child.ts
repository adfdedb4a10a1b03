/**
 * Runs as a separate process in maintenance.test.ts, because the library can end it. Runs
 * sequences of everything a member does with backend files, against a simple model of the rows. The
 * first argument names the sequence, the second the folder. Prints `ok` and what it did.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { open } from "lmdb";
import type { Backend, BackendStore } from "../../backend.js";
import { Bucket, bucketNames } from "../../rows.js";
import { createLmdbBackendStore } from "./backend.js";

type Model = Map<number, number>;

const seedStep = 0x6d2b79f5;
/** Mulberry32: numbers from 0 to 1. */
function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + seedStep) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function keyOf(at: number): Uint8Array {
  const key = Buffer.alloc(8);
  key.writeUInt32BE(at, 4);
  return key;
}

/** A value of `size` bytes; the bytes depend on the size. */
function filledValue(size: number): Uint8Array {
  return new Uint8Array(size).fill(size % 251);
}

class Sequence {
  readonly #root: string;
  #store: BackendStore;
  #name = "state-0";
  #backend: Backend;
  #model: Model = new Map();
  readonly counts: Record<string, number> = {};

  constructor(root: string) {
    this.#root = root;
    this.#store = createLmdbBackendStore(root);
    this.#backend = this.#store.open(this.#name);
  }

  async put(from: number, count: number, size: number): Promise<void> {
    this.#count("put");
    const keys = Array.from({ length: count }, (_, place) => from + place);
    this.#backend.write(
      keys.map((at) => ({ bucket: Bucket.key, key: keyOf(at), value: filledValue(size) })),
    );
    for (const at of keys) this.#model.set(at, size);
    await this.#commit();
  }

  async remove(keys: readonly number[]): Promise<void> {
    this.#count("remove");
    this.#backend.write(
      keys.map((at) => ({ bucket: Bucket.key, key: keyOf(at), value: undefined })),
    );
    for (const at of keys) this.#model.delete(at);
    await this.#commit();
  }

  /** Checks what an earlier process left: rows 0 to `count`. */
  expect(count: number, size: number): void {
    this.#model = new Map(Array.from({ length: count }, (_, at) => [at, size]));
    this.#check(this.#backend);
  }

  keys(): readonly number[] {
    return [...this.#model.keys()];
  }

  /** Defragments as a member does it. */
  async defragment(): Promise<void> {
    this.#count("defragment");
    const next = `state-${Number(this.#name.slice(6)) + 1}`;
    await new Promise<void>((resolve, reject) => {
      this.#backend.copyTo(next, (error) => (error === undefined ? resolve() : reject(error)));
    });
    const view = this.#backend.snapshot();
    const old = { backend: this.#backend, name: this.#name };
    this.#backend = this.#store.open(next);
    this.#name = next;
    const gone = new Promise<void>((resolve) => {
      old.backend.close(() => {
        this.#store.remove(old.name);
        resolve();
      });
    });
    this.#check(view);
    view.close();
    await gone;
    this.#check(this.#backend);
  }

  async restart(): Promise<void> {
    this.#count("restart");
    await new Promise<void>((resolve) => this.#backend.close(resolve));
    this.#store = createLmdbBackendStore(this.#root);
    this.#backend = this.#store.open(this.#name);
    this.#check(this.#backend);
  }

  async end(): Promise<void> {
    this.#check(this.#backend);
    await new Promise<void>((resolve) => this.#backend.close(resolve));
  }

  #check(reader: Pick<Backend, "scan">): void {
    let rows = 0;
    reader.scan(Bucket.key, { from: new Uint8Array(0) }, (key, value) => {
      const size = this.#model.get(Buffer.from(key).readUInt32BE(4));
      const isRight = size === value.length && (size === 0 || value[size - 1] === size % 251);
      if (!isRight) throw new Error(`row ${Buffer.from(key).toString("hex")} is wrong`);
      rows++;
      return true;
    });
    if (rows !== this.#model.size) throw new Error(`${rows} rows instead of ${this.#model.size}`);
  }

  #commit(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#backend.commit((error) => (error === undefined ? resolve() : reject(error)));
    });
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }
}

/**
 * Puts many rows, deletes them, defragments, deletes many pages at once, restarts; and repeats all
 * that.
 */
async function knownSequence(root: string): Promise<Sequence> {
  const sequence = new Sequence(root);
  for (let round = 0; round < 3; round++) {
    await sequence.put(0, 2000, 1100);
    await sequence.put(5000, 3, 1_000_000);
    await sequence.defragment();
    await sequence.remove(sequence.keys().filter((at) => at % 100 !== 0));
    if (round === 1) await sequence.restart();
    await sequence.defragment();
    await sequence.remove(sequence.keys());
    await sequence.restart();
  }
  await sequence.end();
  return sequence;
}

async function randomSequence(root: string, seed: number): Promise<Sequence> {
  const random = createRandom(seed);
  const int = (below: number): number => Math.floor(random() * below);
  const sequence = new Sequence(root);
  for (let step = 0; step < 60; step++) {
    const kind = int(10);
    if (kind < 4) {
      const isBig = int(4) === 0;
      const size = isBig ? 4000 + int(300_000) : int(2500);
      await sequence.put(int(4000), isBig ? 1 + int(8) : int(1500), size);
    } else if (kind < 7) {
      const share = random();
      const above = int(4000);
      await sequence.remove(sequence.keys().filter((at) => at >= above && random() < share));
    } else if (kind < 9) await sequence.defragment();
    else await sequence.restart();
  }
  await sequence.end();
  return sequence;
}

/** The buckets of builds that knew no users. */
const earlierBuckets = bucketNames.slice(0, 7);

/** Makes a file as an earlier build's defragmentation did: `backup(path, true)`, without a mark. */
async function earlierBuild(root: string): Promise<Sequence> {
  mkdirSync(root, { recursive: true });
  const binary = { encoding: "binary", keyEncoding: "binary" } as const;
  const path = join(root, "origin");
  const file = open<Buffer, Buffer>({ path, ...binary, noSubdir: true, maxDbs: 7 });
  const buckets = earlierBuckets.map((name) => file.openDB<Buffer, Buffer>({ name, ...binary }));
  await file.batch(() => {
    for (let at = 0; at < 2000; at++) {
      void buckets[Bucket.key]?.put(keyOf(at) as Buffer, filledValue(1100) as Buffer);
    }
  });
  await file.backup(join(root, "state-0.mdb"), true);
  await file.close();
  const sequence = new Sequence(root);
  sequence.expect(2000, 1100);
  await sequence.remove(sequence.keys().filter((at) => at % 100 !== 0));
  await sequence.restart();
  await sequence.end();
  return sequence;
}

async function run(kind: string, root: string): Promise<void> {
  const seed = Number(kind);
  let sequence: Sequence;
  if (kind === "known") sequence = await knownSequence(root);
  else if (kind === "earlier") sequence = await earlierBuild(root);
  else sequence = await randomSequence(root, seed);
  console.log(`ok ${JSON.stringify(sequence.counts)}`);
}

const [, script, kind, root] = process.argv;
if (script === import.meta.filename && kind !== undefined && root !== undefined) {
  await run(kind, root);
}
