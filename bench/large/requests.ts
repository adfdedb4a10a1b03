/** The large requests, in the order in which they are made, and the store that they meet. */

import { complete } from "../../src/cli/ctl/method.js";
import {
  CompactionRequest,
  DefragmentRequest,
  HashKVRequest,
  PutRequest,
  RangeRequest,
  SnapshotRequest,
  RangeRequest_SortOrder as SortOrder,
  RangeRequest_SortTarget as SortTarget,
  TxnRequest,
} from "../../src/wire/gen/rpc.js";
import type { ClusterMember } from "../../test/support/cluster.js";
import { runLoad } from "../load/h2load.js";

const opsPerTxn = 128;
/** Below the limit of a request, 1.5 MiB. */
const txnBytes = 1_000_000;
const loadersMax = 16;
const valueBytes = 256;

export interface LargeRequest {
  readonly name: string;
  readonly path: string;
  readonly copies?: number;
  /** Made before the clock runs. */
  prepare?(member: ClusterMember): Promise<void>;
  message(member: ClusterMember): Promise<Uint8Array>;
}

const everything = { key: Buffer.of(0), range_end: Buffer.of(0) };
const range = (fields: Partial<RangeRequest>): Uint8Array =>
  RangeRequest.encode(complete(RangeRequest, { ...everything, ...fields })).finish();

async function revision(member: ClusterMember): Promise<bigint> {
  const { header } = await member.client.range({ key: keyOf(0) });
  return header?.revision ?? 0n;
}

export function largeRequests(supersededRevisions: number): readonly LargeRequest[] {
  const kv = "/etcdserverpb.KV/Range";
  const maintenance = "/etcdserverpb.Maintenance";
  const all = async (): Promise<Uint8Array> => range({});
  return [
    { name: "range of everything", path: kv, message: all },
    { name: "keys_only", path: kv, message: async () => range({ keys_only: true }) },
    {
      name: "sort by value, limit 10",
      path: kv,
      message: async () =>
        range({ sort_target: SortTarget.VALUE, sort_order: SortOrder.DESCEND, limit: 10n }),
    },
    {
      name: "min_mod_revision, limit 10",
      path: kv,
      message: async (member) =>
        range({ min_mod_revision: (await revision(member)) / 2n, limit: 10n }),
    },
    { name: "four ranges of everything", path: kv, copies: 4, message: all },
    {
      name: "HashKV",
      path: `${maintenance}/HashKV`,
      message: async () => HashKVRequest.encode(complete(HashKVRequest, {})).finish(),
    },
    {
      name: "Snapshot",
      path: `${maintenance}/Snapshot`,
      message: async () => SnapshotRequest.encode({}).finish(),
    },
    {
      name: "Defragment",
      path: `${maintenance}/Defragment`,
      message: async () => DefragmentRequest.encode({}).finish(),
    },
    {
      name: `physical compaction of ${supersededRevisions.toLocaleString("en")} revisions`,
      path: "/etcdserverpb.KV/Compact",
      prepare: (member) => overwrite(member, supersededRevisions),
      message: async (member) =>
        CompactionRequest.encode({ revision: await revision(member), physical: true }).finish(),
    },
  ];
}

export function keyOf(at: number): Buffer {
  return Buffer.from(`key/${String(at).padStart(10, "0")}`);
}

/** Puts `count` keys with values of `size` bytes, many in a transaction. */
export async function fill(
  { client }: ClusterMember,
  count: number,
  size: number = valueBytes,
): Promise<void> {
  const perTxn = Math.max(1, Math.min(opsPerTxn, Math.floor(txnBytes / size)));
  let next = 0;
  const load = async (): Promise<void> => {
    while (next < count) {
      const from = next;
      next = Math.min(count, from + perTxn);
      const success = Array.from({ length: next - from }, (_, at) => {
        const put = { key: keyOf(from + at), value: Buffer.alloc(size, `${from + at} `) };
        return { request: { $case: "request_put", value: complete(PutRequest, put) } as const };
      });
      await client.txn(complete(TxnRequest, { success }), { timeoutMs: 60_000 });
    }
  };
  await Promise.all(Array.from({ length: loadersMax }, load));
}

/** Revisions that a compaction removes: many puts of one key. */
async function overwrite(member: ClusterMember, revisions: number): Promise<void> {
  const put = complete(PutRequest, { key: keyOf(0), value: Buffer.alloc(valueBytes, "v") });
  await runLoad({
    endpoint: member.endpoint,
    path: "/etcdserverpb.KV/Put",
    message: PutRequest.encode(put).finish(),
    requests: revisions,
    connections: 50,
    streams: 10,
  });
}
