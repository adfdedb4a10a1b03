/**
 * Loads of one request over and over, with h2load as the neutral client: puts, ranges and
 * compare-and-swap of one key, and ranges of a prefix.
 */

import { complete } from "../../src/cli/ctl/method.js";
import {
  Compare,
  Compare_CompareResult,
  Compare_CompareTarget,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from "../../src/wire/gen/rpc.js";
import type { ClusterMember } from "../../test/support/cluster.js";
import { manyKey, putMany } from "../../test/support/many-keys.js";
import { runLoad } from "../load/h2load.js";
import type { LoadResult } from "../load/latencies.js";
import { onMembers, type Scenario } from "./scenario.js";

const key = Buffer.from("bench");
const value = Buffer.alloc(256, "v");
const put = PutRequest.encode(complete(PutRequest, { key, value })).finish();
const prefixKeys = 10_000;

/** Connections and streams in flight on each. */
export type Shape = readonly [connections: number, streams: number];

interface OneRequest {
  readonly leader: ClusterMember;
  readonly requests: number;
  readonly shape: Shape;
  readonly path: string;
  readonly message: Uint8Array;
  /** By how much each answered request advances the revision. */
  readonly writes: 0 | 1;
  /** A right answer has at least this many bytes. */
  readonly answerBytes: number;
}

async function revision(member: ClusterMember): Promise<number> {
  const { header } = await member.client.range({ key });
  return Number(header?.revision);
}

/** Proves that each request did what it asked: by the revision, and by the bytes of the answers. */
async function load(of: OneRequest): Promise<LoadResult> {
  const { leader, requests, path, message, writes, answerBytes } = of;
  const [connections, streams] = of.shape;
  const before = await revision(leader);
  const { endpoint } = leader;
  const count = Math.max(requests, connections);
  const result = await runLoad({
    ...{ endpoint, path, message, requests: count, connections, streams },
  });
  const advanced = (await revision(leader)) - before;
  if (advanced !== writes * count) {
    throw new Error(`${path}: the revision advanced by ${advanced}, not by ${writes * count}`);
  }
  if (result.answerBytes < answerBytes * count) {
    throw new Error(`${path}: ${result.answerBytes} bytes of answers hold errors`);
  }
  return result;
}

const putKey = async (leader: ClusterMember): Promise<void> => {
  await leader.client.put({ key, value });
};

export function putScenario(members: 1 | 3, shape: Shape, requests: number): Scenario {
  return {
    name: `put, ${onMembers(members)}, ${shape.join("x")}`,
    members,
    requests,
    prepare: putKey,
    run: (leader, count) =>
      load({
        ...{ leader, requests: count, shape, message: put, writes: 1, answerBytes: 5 },
        path: "/etcdserverpb.KV/Put",
      }),
  };
}

/** The compare holds each time, because the put writes what it compares with. */
function swap(): Uint8Array {
  const compare = complete(Compare, {
    key,
    result: Compare_CompareResult.EQUAL,
    target: Compare_CompareTarget.VALUE,
    target_union: { $case: "value", value },
  });
  const operation = complete(RequestOp, {
    request: { $case: "request_put", value: complete(PutRequest, { key, value }) },
  });
  const txn = complete(TxnRequest, { compare: [compare], success: [operation] });
  return TxnRequest.encode(txn).finish();
}

export function swapScenario(members: 1 | 3, requests: number): Scenario {
  return {
    name: `txn compare-and-swap, ${onMembers(members)}, 100x10`,
    members,
    requests,
    prepare: putKey,
    run: (leader, count) =>
      load({
        ...{ leader, requests: count, message: swap(), writes: 1, answerBytes: 7 },
        ...{ path: "/etcdserverpb.KV/Txn", shape: [100, 10] },
      }),
  };
}

interface RangeShape {
  readonly members: 1 | 3;
  /** Undefined: one key. */
  readonly keys?: 100 | 10_000;
  readonly shape: Shape;
  readonly requests: number;
  readonly serializable?: boolean;
}

export function rangeScenario(of: RangeShape): Scenario {
  const { members, keys, shape, requests, serializable = false } = of;
  const what = keys === undefined ? "of one key" : `of ${keys.toLocaleString("en")} keys`;
  const request =
    keys === undefined
      ? { key, serializable }
      : { key: manyKey(0), range_end: manyKey(keys), serializable };
  const message = RangeRequest.encode(complete(RangeRequest, request)).finish();
  const level = serializable ? "serializable" : "linearizable";
  return {
    name: `${level} range ${what}, ${onMembers(members)}, ${shape.join("x")}`,
    members,
    requests,
    flags: ["--max-txn-ops=5000"],
    prepare: async (leader) => {
      await putKey(leader);
      if (keys !== undefined) await putMany(leader.client, prefixKeys, { valueBytes: 256 });
    },
    run: (leader, count) =>
      load({
        ...{ leader, requests: count, shape, message, writes: 0 },
        ...{ path: "/etcdserverpb.KV/Range", answerBytes: value.length * (keys ?? 1) },
      }),
  };
}
