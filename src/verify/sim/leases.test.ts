/** Very many leases that end in the same second, beside writes, under virtual time. */
import { expect, test } from "vitest";
import { KvError } from "../../base/errors.js";
import { noClient } from "../../member/gate/requests.js";
import { PutRequest } from "../../wire/gen/rpc.js";
import { RequestField } from "../../wire/proposal.js";
import { SimCluster } from "./sim-cluster.js";

const leases = 3_000;

test("leases that end together are gone within two seconds, and no write waits for them", () => {
  const cluster = new SimCluster({ seed: 3, members: 3 });
  const { clock } = cluster;
  cluster.startAll();
  const until = (holds: () => boolean, limitMs: number): void => {
    expect(clock.runUntil(holds, limitMs)).toBe(true);
  };
  until(() => cluster.nodes.every(({ member }) => member?.isReady() === true), 20_000);
  const leader = cluster.leader();
  if (leader === undefined) throw new Error("there is no leader");
  const term = leader.term();
  const put = (key: string, lease: bigint, done: (error: KvError | undefined) => void): void => {
    const fields = { ...PutRequest.decode(new Uint8Array(0)), key: Buffer.from(key), lease };
    const body = PutRequest.encode(fields).finish();
    const request = { field: RequestField.put, body, growthBytes: 0, client: noClient };
    leader.write("/etcdserverpb.KV/Put", request, (applied) =>
      done(applied instanceof KvError ? applied : undefined),
    );
  };
  let granted = 0;
  for (let id = 1; id <= leases; id++) {
    leader.leaseGrant(noClient, { id: BigInt(id), ttl: 5 }, (answer) => {
      expect(answer).not.toBeInstanceOf(KvError);
      put(`key${id}`, BigInt(id), () => granted++);
    });
  }
  until(() => granted === leases, 4_000);
  // Sends one write after the other while the leases end.
  let writes = 0;
  let longestMs = 0;
  const write = (): void => {
    const sinceMs = clock.now();
    put("beside", 0n, (error) => {
      expect(error).toBeUndefined();
      writes++;
      longestMs = Math.max(longestMs, clock.now() - sinceMs);
      write();
    });
  };
  const left = (): number => [...leader.machine.leases.all()].length;
  until(() => left() < leases, 10_000);
  write();
  const startedMs = clock.now();
  until(() => left() === 0, 2_000);
  expect(clock.now() - startedMs).toBeGreaterThan(0);
  expect(leader.machine.kv.keyCount()).toBe(1);
  expect(writes).toBeGreaterThan(0);
  expect(longestMs).toBeLessThan(100);
  expect(leader.term()).toBe(term);
});
