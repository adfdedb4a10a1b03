/**
 * etcd #18667: three stock 3.5 members differ for good after two ordinary requests, without any
 * fault: a compaction at the last revision, then a transaction that fails at a member where that
 * compaction has run and not at others.
 */
import { afterEach, describe, expect, test } from "vitest";
import { complete } from "../../src/cli/ctl/method.js";
import * as rpc from "../../src/wire/gen/rpc.js";
import { corruptAlarms } from "../robustness/incident.js";
import { bytes, EtcdClient } from "../support/client.js";
import { Cluster } from "../support/cluster.js";
import { isMissing } from "../support/server-kind.js";

let cluster: Cluster | undefined;
afterEach(() => cluster?.dispose());

describe.skipIf(isMissing("lockstep"))("requests that let members of etcd 3.5 differ", () => {
  test("a put and a read below the compaction, in one transaction", async () => {
    const of = await Cluster.start({ kind: "lockstep", size: 3 });
    cluster = of;
    for (const member of of.members) {
      const { client } = member;
      let revision = 0n;
      for (let i = 0; i < 20; i++) {
        const { header } = await client.put({ key: bytes("a"), value: bytes(`${i}`) });
        revision = header?.revision ?? 0n;
      }
      await client.compact({ revision });
      const put = complete(rpc.PutRequest, { key: bytes("b"), value: bytes("v") });
      const range = complete(rpc.RangeRequest, { key: bytes("a"), revision: revision - 1n });
      const txn = client.txn({
        success: [
          { request: { $case: "request_put", value: put } },
          { request: { $case: "request_range", value: range } },
        ],
      });
      await expect(txn).rejects.toMatchObject({ code: 11 });
      const seen = await Promise.all(of.members.map((one) => hashAt(one.endpoint)));
      expect(new Set(seen).size).toBe(1);
      const { kvs } = await client.range({ key: bytes("b") });
      expect(kvs).toEqual([]);
    }
    expect(await corruptAlarms(of.first)).toEqual([]);
  });
});

/** Revision and HashKV after all that is committed. */
async function hashAt(endpoint: string): Promise<string> {
  const client = new EtcdClient(endpoint);
  try {
    const { header } = await client.range({ key: bytes("a") });
    const { hash, compact_revision } = await client.hashKv({ revision: 0n });
    return `${header?.revision} ${hash} ${compact_revision}`;
  } finally {
    client.close();
  }
}
