/**
 * Random histories, compared with a simple model of what each watcher must get: every wanted event
 * from its start on, once, in order, whole revisions per notice.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { createWatchHub, type WatchSpec } from "./hub.js";
import { IntervalTree } from "./interval-tree.js";
import { type Change, Client, NaiveStore, showEvent } from "./watch.fixture.js";

const keys = ["a", "aa", "ab", "b", "c"];
const key = fc.constantFrom(...keys);
const change: fc.Arbitrary<Change> = fc.tuple(
  key,
  fc.option(fc.constantFrom("x", "y"), { nil: undefined, freq: 3 }),
);
const client = fc.nat(2);
const command = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("put" as const),
      changes: fc.uniqueArray(change, { minLength: 1, maxLength: 3, selector: ([of]) => of }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("watch" as const),
      client,
      key,
      end: fc.constantFrom("", "\0", "ab", "b", "z"),
      /** How far back (or forth) from the current revision. */
      back: fc.oneof(fc.constant(undefined), fc.integer({ min: -3, max: 12 })),
      noPut: fc.boolean(),
      noDelete: fc.boolean(),
      prevKv: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("cancel" as const), client, id: fc.nat(5) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("stall" as const), client }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("read" as const),
      client,
      room: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("catchUp" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("compact" as const), back: fc.nat(4) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("progress" as const), client }) },
);
type Command = typeof command extends fc.Arbitrary<infer C> ? C : never;

/** A watcher as the test sees it from outside. */
interface Watched {
  readonly client: number;
  readonly id: bigint;
  readonly spec: Partial<WatchSpec> & { readonly end: string };
  readonly key: string;
  readonly from: number;
  /** The last revision told, for canceled watchers. */
  until: number;
  isCanceled: boolean;
}

class World {
  readonly store = new NaiveStore();
  readonly hub = createWatchHub(this.store.reader(), {
    limits: { revisionsMax: 4, watchersMax: 3, bytesMax: 60, collectedMax: 7 },
  });
  readonly clients = [0, 1, 2].map(() => new Client(this.hub));
  readonly watched: Watched[] = [];
  #nextIds = [0n, 0n, 0n];

  run(command: Command): void {
    switch (command.do) {
      case "put": {
        const events = this.store.apply(command.changes);
        if (events !== undefined) this.hub.notify(events);
        break;
      }
      case "watch":
        this.#watch(command);
        break;
      case "cancel": {
        const known = this.watched.find(
          (of) => of.client === command.client && of.id === BigInt(command.id) && !of.isCanceled,
        );
        const isCanceled = this.clients[command.client]?.stream.cancel(BigInt(command.id));
        if (isCanceled === true && known !== undefined) known.isCanceled = true;
        break;
      }
      case "stall":
        (this.clients[command.client] as Client).room = 1;
        break;
      case "read":
        this.clients[command.client]?.read(command.room);
        break;
      case "catchUp":
        this.hub.catchUp();
        break;
      case "compact": {
        const revision = this.store.revision() - command.back;
        if (revision > this.store.compactRevision()) this.store.compact(revision);
        break;
      }
      case "progress":
        this.clients[command.client]?.stream.requestProgress();
        break;
    }
  }

  #watch(command: Extract<Command, { do: "watch" }>): void {
    const current = this.store.revision();
    const startRevision = command.back === undefined ? 0 : Math.max(1, current - command.back);
    const { end, noPut, noDelete, prevKv } = command;
    const spec = { end, noPut, noDelete, prevKv, startRevision };
    if (this.clients[command.client]?.watch(command.key, spec) !== undefined) return;
    const id = this.#nextIds[command.client] as bigint;
    this.#nextIds[command.client] = id + 1n;
    const from = startRevision === 0 ? current + 1 : startRevision;
    const { client, key } = command;
    this.watched.push({ client, id, key, spec, from, until: 0, isCanceled: false });
  }

  /** Lets all clients read until all watchers are in step or canceled. */
  settle(): void {
    do {
      for (const client of this.clients) client.read(Number.POSITIVE_INFINITY);
    } while (this.hub.catchUp());
  }

  expected(of: Watched): { revision: number; shown: string }[] {
    const { end, noPut, noDelete, prevKv } = of.spec;
    const isHit = (text: string) =>
      end === "" ? text === of.key : text >= of.key && (end === "\0" || text < end);
    const all: { revision: number; shown: string }[] = [];
    for (const { revision, events } of this.store.log) {
      if (revision < of.from) continue;
      for (const event of events) {
        if (!isHit(Buffer.from(event.key).toString("latin1"))) continue;
        if (event.type === "put" ? noPut : noDelete) continue;
        const prev =
          prevKv === true && !event.isCreate ? this.store.kvAt(event.key, revision - 1) : undefined;
        all.push({ revision, shown: showEvent(event, prev) });
      }
    }
    return all;
  }
}

function check(world: World): void {
  for (const [place, client] of world.clients.entries()) {
    expect(client.unwanted).toBe(0);
    for (const of of world.watched) if (of.client === place) checkWatcher(world, client, of);
    checkProgress(world, client, place);
  }
  // Once all have read, nothing is held back for anybody.
  expect(world.hub.stats()).toMatchObject({ slow: 0, pendingEvents: 0 });
  const active = world.watched.filter((of) => !of.isCanceled).length;
  expect(world.hub.stats().watchers).toBe(active);
}

function checkWatcher(world: World, client: Client, of: Watched): void {
  const notices = client.notices.filter(
    (notice) => "watchId" in notice && notice.watchId === of.id,
  );
  expect(notices[0]?.kind).toBe("created");
  const told: string[] = [];
  let lastRevision = 0;
  for (const [place, notice] of notices.entries()) {
    if (notice.kind === "canceled") {
      expect(place).toBe(notices.length - 1);
      of.isCanceled = true;
    }
    if (notice.kind !== "events") continue;
    const shown = notice.events.map(({ event, prevKv }) => showEvent(event, prevKv));
    // A revision is never spread over two notices.
    expect(revisionOf(shown[0])).toBeGreaterThan(lastRevision);
    lastRevision = revisionOf(shown.at(-1));
    told.push(...shown);
  }
  const withoutPrev = (shown: string) => shown.replace(/\(.*\)/, "");
  const expected = world.expected(of);
  if (!of.isCanceled) expect(told).toHaveLength(expected.length);
  // A canceled watcher has seen a prefix of whole revisions.
  const last = expected[told.length - 1]?.revision;
  expect(told.length === 0 || expected[told.length]?.revision !== last).toBe(true);
  for (const [place, shown] of told.entries()) {
    const wanted = expected[place]?.shown ?? "";
    // The previous value may have been compacted away, but must never be a wrong one.
    expect([wanted, withoutPrev(wanted)]).toContain(shown);
  }
}

function revisionOf(shown: string | undefined): number {
  return Number(/@(\d+)/.exec(shown ?? "")?.[1]);
}

/** No event at or below a progress revision comes later on that stream. */
function checkProgress(world: World, client: Client, place: number): void {
  let promised = 0;
  for (const notice of client.notices) {
    if (notice.kind === "progress") promised = notice.revision;
    if (notice.kind !== "events") continue;
    const of = world.watched.find((known) => known.client === place && known.id === notice.watchId);
    for (const { event } of notice.events) {
      const revision = revisionOf(showEvent(event, undefined));
      // A watcher created after the promise may ask for the past.
      const created = client.notices.findIndex((n) => n.kind === "created" && n.watchId === of?.id);
      const promise = client.notices.findLastIndex(
        (n, at) =>
          n.kind === "progress" && n.revision === promised && at < client.notices.indexOf(notice),
      );
      if (created < promise) expect(revision).toBeGreaterThan(promised);
    }
  }
}

test("every watcher is told exactly its events, however clients stall", () => {
  fc.assert(
    fc.property(fc.array(command, { minLength: 10, maxLength: 80 }), (commands) => {
      const world = new World();
      for (const of of commands) world.run(of);
      world.settle();
      check(world);
    }),
    { numRuns: 1_500 },
  );
});

test("what is held for stalled clients does not grow with the events they miss", () => {
  const world = new World();
  for (let at = 0; at < 3; at += 1) world.clients[at]?.watch("a", { end: "z" });
  for (const client of world.clients) client.read(1);
  for (let at = 0; at < 2_000; at += 1) {
    world.run({
      do: "put",
      changes: [
        ["a", "x"],
        ["b", "y"],
      ],
    });
    world.run({ do: "catchUp" });
    expect(world.hub.stats().pendingEvents).toBe(0);
  }
  expect(world.hub.stats().slow).toBe(3);
  for (const client of world.clients) expect(client.notices).toHaveLength(2);
});

test("the interval tree finds what a plain search finds", () => {
  const interval = fc.record({
    start: fc.stringMatching(/^[a-d]{0,3}$/),
    end: fc.option(fc.stringMatching(/^[a-d]{0,3}$/), { nil: undefined }),
  });
  const step = fc.record({
    interval,
    isRemoval: fc.boolean(),
    probe: fc.stringMatching(/^[a-e]{0,3}$/),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const tree = new IntervalTree<{ start: string; end: string | undefined }>();
      const known = new Map<string, { start: string; end: string | undefined }>();
      for (const { interval, isRemoval, probe } of steps) {
        const name = JSON.stringify([interval.start, interval.end ?? null]);
        if (isRemoval) {
          tree.remove(interval);
          known.delete(name);
        } else if (!known.has(name)) {
          tree.insert(interval);
          known.set(name, interval);
        }
        expect(tree.find(interval)).toBe(known.get(name));
        const hits: { start: string; end: string | undefined }[] = [];
        tree.collect(probe, hits);
        const wanted = [...known.values()].filter(
          ({ start, end }) => start <= probe && (end === undefined || probe < end),
        );
        expect(new Set(hits)).toEqual(new Set(wanted));
        expect(hits).toHaveLength(wanted.length);
      }
    }),
    { numRuns: 200 },
  );
});
