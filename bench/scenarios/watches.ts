/** Events to many watchers, and many leases kept alive: loads of streams. */

import { complete } from "../../src/cli/ctl/method.js";
import {
  LeaseKeepAliveRequest,
  PutRequest,
  WatchCreateRequest,
  WatchRequest,
} from "../../src/wire/gen/rpc.js";
import { manyKey } from "../../test/support/many-keys.js";
import { countEvents } from "../load/event-count.js";
import { GrpcConnection, type LoadStream } from "../load/grpc-connection.js";
import { type LoadResult, resultOf } from "../load/latencies.js";
import type { Scenario } from "./scenario.js";

const watchPath = "/etcdserverpb.Watch/Watch";
const value = Buffer.alloc(256, "v");
const putsInFlight = 20;

interface WatchedRange {
  readonly key: Uint8Array;
  readonly rangeEnd?: Uint8Array;
  readonly prevKv?: boolean;
}

/** Watchers whose events are counted. */
export interface Watching {
  count(): number;
  /** Resolves when `count` has come to `wanted`. */
  until(wanted: number): Promise<void>;
  close(): void;
}

/** Opens one watcher for each range, each on a stream of its own, and waits until all exist. */
export async function openEvents(
  endpoint: string,
  ranges: readonly WatchedRange[],
  connections: number,
): Promise<Watching> {
  const open: GrpcConnection[] = [];
  for (let at = 0; at < connections; at++) open.push(await GrpcConnection.open(endpoint));
  let created = 0;
  let events = 0;
  let wanted = ranges.length;
  let reached: () => void = () => {};
  const all = new Promise<void>((resolve) => {
    reached = resolve;
  });
  const onMessage = (message: Buffer): void => {
    const more = countEvents(message);
    if (created < ranges.length) {
      if (more === 0 && ++created === wanted) reached();
      return;
    }
    events += more;
    if (events >= wanted) reached();
  };
  for (const [at, { key, rangeEnd, prevKv = false }] of ranges.entries()) {
    const fields = { key, range_end: Buffer.from(rangeEnd ?? []), prev_kv: prevKv };
    const create = complete(WatchCreateRequest, fields as Partial<WatchCreateRequest>);
    const request = { request_union: { $case: "create_request", value: create } } as const;
    const stream = (open[at % connections] as GrpcConnection).stream(watchPath, onMessage);
    stream.send(WatchRequest.encode(request).finish());
  }
  await all;
  wanted = Number.POSITIVE_INFINITY;
  return {
    count: () => events,
    until: (count) =>
      new Promise((resolve) => {
        wanted = count;
        reached = resolve;
        if (events >= count) resolve();
      }),
    close: () => {
      for (const connection of open) connection.close();
    },
  };
}

interface FanOut {
  readonly name: string;
  readonly watchers: number;
  /** The key that watcher number `at` watches. */
  keyOf(at: number): Uint8Array;
  /** How many watchers see one put. */
  readonly eventsOfPut: number;
  /** In events. */
  readonly requests: number;
}

/** Bursts of puts; the latency is that of the puts. */
function fanOut({ name, watchers, keyOf, eventsOfPut, requests }: FanOut): Scenario {
  return {
    ...{ name, members: 1, requests },
    run: async ({ endpoint }, count) => {
      const ranges = Array.from({ length: watchers }, (_, at) => ({ key: keyOf(at) }));
      const watching = await openEvents(endpoint, ranges, 10);
      const writer = await GrpcConnection.open(endpoint);
      const puts = Math.max(1, Math.round(count / eventsOfPut));
      const latencies = new Float64Array(puts);
      const startedMs = performance.now();
      try {
        let sent = 0;
        let answered = 0;
        const send = (): void => {
          if (sent === puts) return;
          const put = complete(PutRequest, { key: Buffer.from(keyOf(sent++)), value });
          const sinceMs = performance.now();
          writer.call("/etcdserverpb.KV/Put", PutRequest.encode(put).finish(), () => {
            latencies[answered++] = performance.now() - sinceMs;
            send();
          });
        };
        for (let at = 0; at < putsInFlight; at++) send();
        await watching.until(puts * eventsOfPut);
        const seconds = (performance.now() - startedMs) / 1_000;
        return resultOf(puts * eventsOfPut, seconds, latencies);
      } finally {
        watching.close();
        writer.close();
      }
    },
  };
}

export function oneKeyFanOut(requests: number): Scenario {
  return fanOut({
    name: "watch, 1 member, 1 writer to 1,000 watchers of one key",
    ...{ watchers: 1_000, eventsOfPut: 1_000, requests, keyOf: () => manyKey(0) },
  });
}

export function distinctKeysFanOut(requests: number): Scenario {
  return fanOut({
    name: "watch, 1 member, 1,000 watchers of distinct keys",
    ...{ watchers: 1_000, eventsOfPut: 1, requests, keyOf: (at) => manyKey(at % 1_000) },
  });
}

/** 10,000 leases on ten streams, 50 renewals in flight on each. */
export function keepAliveScenario(requests: number): Scenario {
  const leases = 10_000;
  const streams = 10;
  const inFlight = 50;
  return {
    name: "lease keepalive of 10,000 leases, 1 member, 10 streams",
    ...{ members: 1, requests },
    prepare: async ({ client }) => {
      for (let from = 1; from <= leases; from += 500) {
        const some = Array.from({ length: 500 }, (_, at) => BigInt(from + at));
        await Promise.all(some.map((ID) => client.leaseGrant({ ID, TTL: 600n })));
      }
    },
    run: (leader, count) => renew(leader.endpoint, { count, leases, streams, inFlight }),
  };
}

interface Renewals {
  readonly count: number;
  readonly leases: number;
  readonly streams: number;
  readonly inFlight: number;
}

async function renew(endpoint: string, of: Renewals): Promise<LoadResult> {
  const messages = Array.from({ length: of.leases }, (_, at) =>
    LeaseKeepAliveRequest.encode({ ID: BigInt(at + 1) }).finish(),
  );
  const latencies = new Float64Array(of.count);
  const connections: GrpcConnection[] = [];
  const startedMs = performance.now();
  let sent = 0;
  let answered = 0;
  let over: () => void = () => {};
  const all = new Promise<void>((resolve) => {
    over = resolve;
  });
  for (let at = 0; at < of.streams; at++) {
    const connection = await GrpcConnection.open(endpoint);
    connections.push(connection);
    // Answers of one stream come in the order of its requests.
    const sentMs: number[] = [];
    const send = (): void => {
      if (sent === of.count) return;
      sentMs.push(performance.now());
      stream.send(messages[sent++ % of.leases] as Uint8Array);
    };
    const stream: LoadStream = connection.stream("/etcdserverpb.Lease/LeaseKeepAlive", () => {
      latencies[answered++] = performance.now() - (sentMs.shift() as number);
      if (answered === of.count) over();
      else send();
    });
    for (let first = 0; first < of.inFlight; first++) send();
  }
  await all;
  const seconds = (performance.now() - startedMs) / 1_000;
  for (const connection of connections) connection.close();
  return resultOf(of.count, seconds, latencies);
}
