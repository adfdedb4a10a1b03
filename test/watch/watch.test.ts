/** Watching at scale: nothing lost or doubled under resumption, and a stalled reader harms nobody. */
import { afterEach, describe, expect, test } from "vitest";
import { complete } from "../../src/cli/ctl/method.js";
import type { RequestOp } from "../../src/wire/gen/rpc.js";
import { PutRequest } from "../../src/wire/gen/rpc.js";
import { bytes, EtcdClient } from "../support/client.js";
import { Cluster } from "../support/cluster.js";
import { isMissing, subject } from "../support/server-kind.js";
import { Watcher } from "../support/watcher.js";
import { AuditedStream, type SeenEvent, type Watched } from "./watch-audit.js";

const KEYS = 1_000;
const TXNS = 10_000;
const PUTS_PER_TXN = 5;
const CONCURRENT_TXNS = 100;
const STREAMS = 20;
const STALLED_STREAMS = 10;
const MEBIBYTE = 1 << 20;

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function startOne(): Promise<Cluster> {
  const cluster = await Cluster.start({ kind: subject });
  closing.push(() => cluster.dispose());
  return cluster;
}
function newClient(cluster: Cluster): EtcdClient {
  const client = new EtcdClient(cluster.first.endpoint);
  closing.push(() => client.close());
  return client;
}

function keyAt(at: number): string {
  return `k/${String(at % KEYS).padStart(4, "0")}`;
}
function putOp(key: string, value: Buffer): RequestOp {
  const put = complete(PutRequest, { key: bytes(key), value });
  return { request: { $case: "request_put", value: put } };
}

/** Writes all events, `CONCURRENT_TXNS` transactions at a time; gives them in revision order. */
async function writeEvents(client: EtcdClient): Promise<SeenEvent[]> {
  const written: SeenEvent[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let txn = next++; txn < TXNS; txn = next++) {
      const keys = Array.from({ length: PUTS_PER_TXN }, (_, i) => keyAt(txn * PUTS_PER_TXN + i));
      const success = keys.map((key) => putOp(key, bytes(String(txn))));
      const { header } = await client.txn({ success });
      const revision = Number(header?.revision);
      for (const key of keys) written.push({ key, revision, value: String(txn) });
    }
  };
  await Promise.all(Array.from({ length: CONCURRENT_TXNS }, worker));
  return written.sort((x, y) => x.revision - y.revision || (x.key < y.key ? -1 : 1));
}

/** 1,000 watchers of a key each on 20 streams, and five more streams that watch everything. */
function makeStreams(cluster: Cluster, onEvents: () => void): AuditedStream[] {
  const watched = (key: string, end?: string): Watched => ({
    range: end === undefined ? { key: bytes(key) } : { key: bytes(key), range_end: bytes(end) },
    seen: [],
    nextRevision: 2,
  });
  const clients = Array.from({ length: 4 }, () => newClient(cluster));
  const streams: AuditedStream[] = [];
  for (let at = 0; at < STREAMS + 5; at++) {
    const client = clients[at % clients.length] as EtcdClient;
    const ranges =
      at < STREAMS
        ? Array.from({ length: KEYS / STREAMS }, (_, i) => watched(keyAt(i * STREAMS + at)))
        : [watched("k/", "k0")];
    streams.push(new AuditedStream(client, ranges, onEvents));
  }
  return streams;
}

describe.skipIf(isMissing(subject))("watch", () => {
  test("1,000 watchers see 50,000 events exactly, each resumed", async () => {
    const cluster = await startOne();
    let wake: () => void = () => undefined;
    const streams = makeStreams(cluster, () => wake());
    for (const stream of streams) {
      stream.open();
      closing.push(() => stream.close());
    }
    let isWritten = false;
    const writing = writeEvents(newClient(cluster)).finally(() => {
      isWritten = true;
      wake();
    });
    const expectedOf = (stream: AuditedStream): number =>
      stream.watched.length === 1
        ? TXNS * PUTS_PER_TXN
        : (TXNS * PUTS_PER_TXN * stream.watched.length) / KEYS;
    // Each stream is broken off at its own share of its events, some of them twice.
    const isDue = (stream: AuditedStream, at: number): boolean => {
      const share = stream.eventsSeen() / expectedOf(stream);
      return share > (0.1 + (0.7 * at) / streams.length) * (stream.resumptions + 1);
    };
    for (;;) {
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      let isDone = isWritten;
      for (const [at, stream] of streams.entries()) {
        if (stream.resumptions < 2 && isDue(stream, at)) stream.resume();
        if (stream.eventsSeen() < expectedOf(stream)) isDone = false;
      }
      if (isDone) break;
      await woken;
    }
    const written = await writing;
    const ofKey = new Map<string, SeenEvent[]>();
    for (const event of written) {
      const events = ofKey.get(event.key) ?? [];
      events.push(event);
      ofKey.set(event.key, events);
    }
    for (const stream of streams) {
      expect(stream.resumptions).toBeGreaterThan(0);
      for (const { range, seen } of stream.watched) {
        const expected = range.range_end === undefined ? ofKey.get(String(range.key)) : written;
        const inOrder = range.range_end === undefined ? seen : sortWithinRevisions(seen);
        expect(inOrder).toEqual(expected);
      }
    }
  }, 180_000);

  test("stalled readers delay nobody, cost no memory, and miss nothing", async () => {
    const cluster = await startOne();
    const value = Buffer.alloc(10_000, "v");
    const puts = 5_000;
    const range = { key: bytes("s/"), range_end: bytes("s0") };
    const stalled = Array.from({ length: STALLED_STREAMS }, () => {
      const watcher = new Watcher(newClient(cluster));
      closing.push(() => watcher.close());
      watcher.create(range);
      return watcher;
    });
    await Promise.all(stalled.map((watcher) => watcher.next()));
    for (const { stream } of stalled) stream.pause();
    const healthy = new Watcher(newClient(cluster));
    closing.push(() => healthy.close());
    healthy.create(range);
    expect((await healthy.next()).created).toBe(true);

    const { client, process } = cluster.first;
    const before = process.memory().anonBytes;
    const delays: number[] = [];
    for (let batch = 0; batch < puts / 50; batch++) {
      const writes = Array.from({ length: 50 }, (_, i) =>
        client.put({ key: bytes(`s/${i}`), value }),
      );
      const last = Math.max(...(await Promise.all(writes)).map((r) => Number(r.header?.revision)));
      const acknowledgedAt = performance.now();
      await until(healthy, last);
      delays.push(performance.now() - acknowledgedAt);
    }
    const grown = process.memory().anonBytes - before;
    // Kept in memory, what the stalled streams have not read would be 500 MB.
    expect(grown).toBeLessThan(256 * MEBIBYTE);
    delays.sort((x, y) => x - y);
    expect(delays[Math.floor(delays.length * 0.9)]).toBeLessThan(500);

    for (const { stream } of stalled.slice(0, 2)) stream.resume();
    for (const watcher of stalled.slice(0, 2)) {
      const revisions = await until(watcher, 1 + puts);
      expect(revisions).toEqual(Array.from({ length: puts }, (_, i) => i + 2));
    }
  }, 180_000);
});

function sortWithinRevisions(events: readonly SeenEvent[]): SeenEvent[] {
  events.forEach((event, at) => {
    const previous = events[at - 1];
    if (previous !== undefined && previous.revision > event.revision) {
      throw new Error(`revision ${event.revision} after ${previous.revision}`);
    }
  });
  return [...events].sort((x, y) => x.revision - y.revision || (x.key < y.key ? -1 : 1));
}

/** Takes responses until one holds `revision`; gives the revisions of all their events. */
async function until(watcher: Watcher, revision: number): Promise<number[]> {
  const revisions: number[] = [];
  while ((revisions.at(-1) ?? 0) < revision) {
    const response = await watcher.next(60_000);
    if (response.canceled) throw new Error(`cancelled: ${response.cancel_reason}`);
    for (const event of response.events) revisions.push(Number(event.kv?.mod_revision));
  }
  return revisions;
}
