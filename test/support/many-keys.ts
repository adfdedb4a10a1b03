/** A store of many small keys, written by large transactions: start the members with `manyKeysFlags`. */
import { readFileSync } from "node:fs";
import { complete } from "../../src/cli/ctl/method.js";
import type { RequestOp } from "../../src/wire/gen/rpc.js";
import { PutRequest, RequestOp as RequestOpCodec } from "../../src/wire/gen/rpc.js";
import { bytes, type EtcdClient } from "./client.js";

const keysPerTxn = 5_000;
export const manyKeysFlags: readonly string[] = [`--max-txn-ops=${keysPerTxn}`];

export function manyKey(number: number): Buffer {
  return bytes(`many/${number.toString().padStart(9, "0")}`);
}

/** Writes the keys 0 to before `count`, with values of `valueBytes` bytes. */
export async function putMany(
  client: EtcdClient,
  count: number,
  more: { readonly lease?: bigint; readonly valueBytes?: number } = {},
): Promise<void> {
  const { lease = 0n, valueBytes = 0 } = more;
  const value = Buffer.alloc(valueBytes, "v");
  const perTxn = Math.min(keysPerTxn, Math.floor(1_000_000 / (50 + valueBytes)));
  for (let from = 0; from < count; from += perTxn) {
    const ops: RequestOp[] = [];
    for (let at = from; at < Math.min(count, from + perTxn); at++) {
      const put = complete(PutRequest, { key: manyKey(at), value, lease });
      ops.push(complete(RequestOpCodec, { request: { $case: "request_put", value: put } }));
    }
    await client.txn({ success: ops }, { timeoutMs: 60_000 });
  }
}

/** The most memory that a process has had, in MiB. */
export function peakMiB(pid: number): number {
  const text = readFileSync(`/proc/${pid}/status`, "latin1");
  return Number(/VmHWM:\s+(\d+) kB/.exec(text)?.[1]) / 1024;
}
