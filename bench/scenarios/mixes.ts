/** Loads of calls that differ: reads beside writes, a load as Kubernetes makes it, writes at a fixed rate. */

import { complete } from "../../src/cli/ctl/method.js";
import {
  CompactionRequest,
  Compare,
  Compare_CompareResult,
  Compare_CompareTarget,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
  TxnResponse,
} from "../../src/wire/gen/rpc.js";
import type { ClusterMember } from "../../test/support/cluster.js";
import { manyKey, manyKeysFlags, putMany } from "../../test/support/many-keys.js";
import { GrpcConnection } from "../load/grpc-connection.js";
import { type Call, closedLoop, fixedRate } from "../load/unary-loads.js";
import { onMembers, roomyFlags, type Scenario } from "./scenario.js";
import { openEvents } from "./watches.js";

const paths = {
  put: "/etcdserverpb.KV/Put",
  range: "/etcdserverpb.KV/Range",
  txn: "/etcdserverpb.KV/Txn",
  compact: "/etcdserverpb.KV/Compact",
} as const;
const value = Buffer.alloc(256, "v");

/** A permutation of 0 to before `count`, walked again and again: scattered, and the same each time. */
const scattered = (at: number, count: number): number => (at * 7_919) % count;

function putCall(number: number): Call {
  const put = complete(PutRequest, { key: manyKey(number), value });
  return { path: paths.put, message: PutRequest.encode(put).finish() };
}

function getCall(number: number): Call {
  const range = complete(RangeRequest, { key: manyKey(number) });
  const check = (answer: Buffer): void => {
    if (answer.length < value.length) throw new Error("a range without its value");
  };
  return { path: paths.range, message: RangeRequest.encode(range).finish(), check };
}

const load = (keys: number) => (leader: ClusterMember) =>
  putMany(leader.client, keys, { valueBytes: value.length });

/** Updates of scattered keys of a store with `keys` keys. */
export function putAmong(keys: number, requests: number): Scenario {
  return {
    name: `put among ${keys.toLocaleString("en")} keys, 1 member, 100x10`,
    ...{ members: 1, requests, isLong: keys >= 1_000_000 },
    flags: [...manyKeysFlags, ...roomyFlags],
    prepare: load(keys),
    run: ({ endpoint }, count) =>
      closedLoop({
        ...{ endpoint, connections: 100, streams: 10, requests: count },
        next: (at) => putCall(scattered(at, keys)),
      }),
  };
}

export function mixedScenario(members: 1 | 3, requests: number): Scenario {
  const keys = 10_000;
  return {
    name: `80 % linearizable range, 20 % put, ${onMembers(members)}, 100x10`,
    ...{ members, requests, flags: manyKeysFlags, prepare: load(keys) },
    run: ({ endpoint }, count) =>
      closedLoop({
        ...{ endpoint, connections: 100, streams: 10, requests: count },
        next: (at) => (at % 5 === 0 ? putCall : getCall)(scattered(at, keys)),
      }),
  };
}

export function fixedRateScenario(members: 1 | 3, requests: number): Scenario {
  const keys = 10_000;
  return {
    name: `put at 5,000/s, ${onMembers(members)}, 100 connections`,
    ...{ members, requests, flags: manyKeysFlags, prepare: load(keys) },
    run: ({ endpoint }, count) =>
      fixedRate({
        ...{ endpoint, connections: 100, perSecond: 5_000, requests: count },
        next: (at) => putCall(scattered(at, keys)),
      }),
  };
}

/** Puts while a compaction up to almost the newest revision begins twice a second. */
export function compactionScenario(requests: number): Scenario {
  const keys = 10_000;
  return {
    name: "put while compaction runs, 1 member, 100x10",
    ...{ members: 1, requests, flags: manyKeysFlags, prepare: load(keys) },
    run: async ({ endpoint, client }, count) => {
      const compactor = await GrpcConnection.open(endpoint);
      const compact = async (): Promise<void> => {
        const { header } = await client.range({ key: manyKey(0), serializable: true });
        const revision = BigInt(header?.revision ?? 0n) - 100n;
        const request = complete(CompactionRequest, { revision });
        compactor.call(paths.compact, CompactionRequest.encode(request).finish(), () => {});
      };
      const timer = setInterval(() => compact().catch(() => clearInterval(timer)), 500);
      try {
        return await closedLoop({
          ...{ endpoint, connections: 100, streams: 10, requests: count },
          next: (at) => putCall(scattered(at, keys)),
        });
      } finally {
        clearInterval(timer);
        compactor.close();
      }
    },
  };
}

/** An update as Kubernetes makes it: put if the object is still as it was read, else show it. */
function updateCall(number: number, modRevision: number, answered: (revision: number) => void) {
  const key = manyKey(number);
  const compare = complete(Compare, {
    ...{ key, result: Compare_CompareResult.EQUAL, target: Compare_CompareTarget.MOD },
    target_union: { $case: "mod_revision", value: BigInt(modRevision) },
  });
  const put = complete(PutRequest, { key, value: Buffer.alloc(1_024, "u") });
  const get = complete(RangeRequest, { key });
  const txn = complete(TxnRequest, {
    compare: [compare],
    success: [complete(RequestOp, { request: { $case: "request_put", value: put } })],
    failure: [complete(RequestOp, { request: { $case: "request_range", value: get } })],
  });
  const check = (answer: Buffer): void => {
    const { header, responses } = TxnResponse.decode(answer);
    const union = responses[0]?.response;
    const shown =
      union?.$case === "response_range" ? union.value.kvs[0]?.mod_revision : header?.revision;
    answered(Number(shown ?? 0n));
  };
  return { path: paths.txn, message: TxnRequest.encode(txn).finish(), check };
}

/** Of ten calls: one page of 500, six gets, three updates; ten watchers with previous values. */
export function kubernetesScenario(members: 1 | 3, requests: number): Scenario {
  const objects = 5_000;
  const [connections, streams] = [20, 2];
  const watchers = 10;
  return {
    name: `Kubernetes-like mix, ${onMembers(members)}, ${connections}x${streams}`,
    ...{ members, requests, flags: manyKeysFlags },
    prepare: (leader) => putMany(leader.client, objects, { valueBytes: 1_024 }),
    run: async ({ endpoint }, count) => {
      const range = { key: manyKey(0), rangeEnd: manyKey(objects), prevKv: true };
      const watching = await openEvents(endpoint, Array(watchers).fill(range), watchers);
      /** What each worker knows of its own objects. */
      const known = new Map<number, number>();
      let updates = 0;
      const next = (at: number, worker: number): Call => {
        const own = worker + connections * streams * (Math.floor(at / 10) % 100);
        if (at % 10 === 0) return pageCall(scattered(at, objects - 500));
        if (at % 10 < 7) return getCall(scattered(at, objects));
        updates++;
        return updateCall(own, known.get(own) ?? 0, (revision) => known.set(own, revision));
      };
      try {
        const result = await closedLoop({
          ...{ endpoint, connections, streams, requests: count, next },
        });
        if (watching.count() === 0 && updates > 1_000) throw new Error("the watchers saw nothing");
        return result;
      } finally {
        watching.close();
      }
    },
  };
}

function pageCall(from: number): Call {
  const page = { key: manyKey(from), range_end: manyKey(999_999_999), limit: 500n };
  const message = RangeRequest.encode(complete(RangeRequest, page)).finish();
  const check = (answer: Buffer): void => {
    if (answer.length < 500 * value.length) throw new Error("a page without its rows");
  };
  return { path: paths.range, message, check };
}
