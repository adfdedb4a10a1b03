/**
 * Historical issues of etcd that a stock binary shows, each as a short story: what the scene does,
 * what etcd promises, and what shows that the promise is broken. Issue numbers are etcd's.
 */
import { eventsOf, Refused, type Scene } from "./scene.js";

export interface Shown {
  readonly isShown: boolean;
  /** What the scene saw, as text. */
  readonly text: string;
}

export interface Issue {
  readonly number: number;
  readonly title: string;
  readonly promise: string;
  /** How many members the scene needs. */
  readonly members: 1 | 3;
  /** Flags for the members. Every program on which the scene runs must know them. */
  readonly flags: readonly string[];
  run(scene: Scene): Promise<Shown>;
}

export const issues: readonly Issue[] = [
  {
    number: 18667,
    title: "a transaction that one member refuses is applied by the others",
    promise: "all members hold the same data at the same revision",
    members: 3,
    flags: [],
    run: refusedByOne,
  },
  {
    number: 20221,
    title: "progress below the revision at which the watch begins",
    promise: "a watch tells of no revision before the one that it was asked for",
    members: 1,
    flags: [],
    run: progressBeforeStart,
  },
  {
    number: 18089,
    title: "a deletion at the compacted revision is lost for watches",
    promise: "compaction at a revision keeps the events of that revision",
    members: 1,
    flags: [],
    run: deletionAtCompaction,
  },
  {
    number: 19179,
    title: "a deletion at the compacted revision is lost when a kill interrupts the compaction",
    promise: "compaction at a revision keeps the events of that revision",
    members: 1,
    flags: ["--experimental-compaction-batch-limit=100"],
    run: deletionAfterKill,
  },
  {
    number: 17529,
    title: "a slow watch loses events when they are compacted, and is not told",
    promise: "a watch gets every event, or is told that they are compacted",
    members: 1,
    flags: [],
    run: slowWatchSkips,
  },
  {
    number: 15220,
    title: "progress overtakes events",
    promise: "after progress to a revision no event up to it follows",
    members: 1,
    flags: [],
    run: progressBeforeEvents,
  },
  {
    number: 15271,
    title: "a member that got a snapshot repeats events to its watches",
    promise: "a watch gets each event once, in the order of revisions",
    members: 3,
    flags: ["--snapshot-count=100"],
    run: repeatedAfterSnapshot,
  },
];

async function refusedByOne(scene: Scene): Promise<Shown> {
  const { members } = scene.stage;
  let revision = 0;
  for (let at = 0; at < 20; at++) revision = await scene.put("a", `${at}`);
  await scene.ask({ kind: "compact", revision });
  const old = { kind: "range", key: "a", revision: revision - 1 } as const;
  const put = { kind: "put", key: "b", value: "only where it was not refused" } as const;
  let told = "it succeeded";
  try {
    await scene.ask({ kind: "txn", compares: [], success: [put, old], failure: [] });
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    told = error.message;
  }
  const counts = await Promise.all(
    members.map(async (member) => {
      const read = { kind: "range", key: "b", serializable: true } as const;
      const isThere = async (): Promise<boolean> => {
        const { answer } = await scene.ask(read, member);
        return answer.kind === "range" && answer.kvs.length === 1;
      };
      // The other members may apply the entry a moment later.
      return `${member} ${(await scene.until(isThere, 2_000)) ? "has" : "lacks"} the key`;
    }),
  );
  const kinds = new Set(counts.map((text) => text.split(" ").slice(1).join(" ")));
  const text = `the client was told: ${told}; then ${counts.join(", ")}`;
  return { isShown: kinds.size > 1, text };
}

async function progressBeforeStart(scene: Scene): Promise<Shown> {
  const now = await scene.put("a");
  const start = now + 100;
  const { seen, askProgress } = scene.watch(start);
  await scene.until(() => seen.length > 0);
  askProgress();
  const isTold = await scene.until(() => seen.some(({ isProgress }) => isProgress), 3_000);
  const revision = seen.find(({ isProgress }) => isProgress)?.revision ?? 0;
  const text = isTold ? `progress to ${revision}` : "no progress within 3 s";
  return {
    isShown: isTold && revision < start - 1,
    text: `a watch from revision ${start} got ${text}`,
  };
}

async function deletionAtCompaction(scene: Scene): Promise<Shown> {
  await scene.put("a");
  const { revision } = await scene.ask({ kind: "delete", key: "a" });
  await scene.ask({ kind: "compact", revision });
  // A compaction works on after its answer.
  await scene.pause(500);
  return watchDeletion(scene, revision);
}

/** Tells whether a watch from the compacted revision gets the deletion that made that revision. */
async function watchDeletion(scene: Scene, revision: number): Promise<Shown> {
  const { seen } = scene.watch(revision);
  const next = await scene.put("b");
  await scene.until(() => eventsOf(seen).some(({ mod }) => mod === next));
  const canceled = seen.find(({ compactRevision }) => compactRevision > 0);
  const isThere = eventsOf(seen).some(({ mod, type }) => mod === revision && type === "delete");
  const told =
    canceled !== undefined
      ? `was refused (compacted ${canceled.compactRevision})`
      : `got the revisions ${eventsOf(seen)
          .map(({ mod }) => mod)
          .join(", ")}`;
  const text = `compacted at the deletion's revision ${revision}; a watch from ${revision} ${told}`;
  return { isShown: !isThere, text };
}

async function deletionAfterKill(scene: Scene): Promise<Shown> {
  await scene.put("a");
  await scene.putMany(6_000, { key: "b", value: "v" });
  const { revision } = await scene.ask({ kind: "delete", key: "a" });
  await scene.ask({ kind: "compact", revision });
  // By now the first batches have passed and the last ones have not.
  await scene.pause(150);
  await scene.stage.kill(scene.first);
  await scene.stage.start(scene.first);
  // The compaction continues where it was.
  await scene.pause(3_000);
  return watchDeletion(scene, revision);
}

async function slowWatchSkips(scene: Scene): Promise<Shown> {
  const count = 800;
  const watches = scene.manyWatches(count, 2);
  await scene.until(() => watches.created === count);
  watches.setReading(false);
  let revision = 1;
  for (let at = 0; at < 40; at++) revision = await scene.put("a", "v".repeat(20_000));
  await scene.ask({ kind: "compact", revision });
  let messages = -1;
  // The client reads slowly: while much waits to be sent, etcd looks again and again at the watches
  // that wait longest.
  while (messages !== watches.messages) {
    messages = watches.messages;
    for (let at = 0; at < 50; at++) {
      watches.setReading(true);
      await scene.pause(2);
      watches.setReading(false);
      await scene.pause(18);
    }
  }
  watches.setReading(true);
  const last = await scene.put("a", "last");
  const isDone = (id: number): boolean =>
    watches.canceled.has(id) || watches.revisions.get(id)?.at(-1) === last;
  const ids = [...watches.revisions.keys()];
  await scene.until(() => ids.every(isDone), 15_000);
  const skipped = ids.filter((id) => {
    const mods = watches.revisions.get(id) ?? [];
    return mods.some((mod, at) => mod !== (at === 0 ? 2 : (mods[at - 1] as number) + 1));
  });
  const example = watches.revisions.get(skipped[0] ?? -1) ?? [];
  const gap = example.findIndex((mod, at) => mod !== (at === 0 ? 2 : (example[at - 1] ?? 0) + 1));
  const text =
    skipped.length === 0
      ? `${count} watches: all without a gap, ${watches.canceled.size} told of the compaction`
      : `${skipped.length} of ${count} watches have a gap and were not told: one goes from revision ${example[gap - 1] ?? 1} to ${example[gap]}`;
  return { isShown: skipped.length > 0, text };
}

async function progressBeforeEvents(scene: Scene): Promise<Shown> {
  const { seen, askProgress } = scene.watch(1);
  const endMs = scene.clock.now() + 40_000;
  let found: string | undefined;
  let looked = 0;
  let [progress, last] = [0, 0];
  const look = (): void => {
    for (; looked < seen.length && found === undefined; looked++) {
      const { events, revision, isProgress } = seen[looked] as (typeof seen)[number];
      if (isProgress && revision < last)
        found = `progress to ${revision} after an event of ${last}`;
      if (isProgress) progress = Math.max(progress, revision);
      const late = events.find(({ mod }) => mod <= progress);
      if (late !== undefined) found = `an event of ${late.mod} after progress to ${progress}`;
      last = Math.max(last, events.at(-1)?.mod ?? 0);
    }
  };
  const isOver = (): boolean => found !== undefined || scene.clock.now() > endMs;
  const value = "v".repeat(4_096);
  const writer = async (key: string): Promise<void> => {
    while (!isOver()) await scene.put(key, value);
  };
  const asker = async (): Promise<void> => {
    while (!isOver()) {
      askProgress();
      await scene.pause(1);
      look();
    }
  };
  await Promise.all([asker(), ...Array.from({ length: 16 }, (_, at) => writer(`k${at}`))]);
  const text = found ?? "progress and events in order, as far as was seen in 40 s";
  return { isShown: found !== undefined, text: `${seen.length} answers: ${text}` };
}

async function repeatedAfterSnapshot(scene: Scene): Promise<Shown> {
  const { stage } = scene;
  const behind = await scene.follower();
  const { seen, isEnded } = scene.watch(1, behind);
  const before = await scene.putMany(200, { key: "a", value: "v" });
  await scene.until(() => (eventsOf(seen).at(-1)?.mod ?? 0) >= before);
  stage.pause(behind);
  // More entries than a leader keeps for lagging members, and more bytes than fit into socket
  // buffers.
  const after = await scene.putMany(16_000, { key: "a", value: "v".repeat(1_024) });
  stage.resume(behind);
  const isThere = (): boolean => isEnded() || eventsOf(seen).some(({ mod }) => mod >= after);
  await scene.until(isThere, 30_000);
  const mods = eventsOf(seen).map(({ mod }) => mod);
  const again = mods.findIndex((mod, at) => mod <= (mods[at - 1] ?? 0));
  if (again >= 0) {
    const text = `after revision ${mods[again - 1]} the watch got revision ${mods[again]} again`;
    return { isShown: true, text };
  }
  const end = isEnded() ? "then the member ended the stream" : `to ${mods.at(-1)} of ${after}`;
  return { isShown: false, text: `${mods.length} events, each once and in order; ${end}` };
}
