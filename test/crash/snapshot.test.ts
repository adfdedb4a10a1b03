/** A member that was away for longer than the others keep their logs comes back by a snapshot. */
import { afterEach, describe, expect, test } from "vitest";
import { bytes } from "../support/client.js";
import { Cluster, type ClusterMember } from "../support/cluster.js";
import { isMissing, subject } from "../support/server-kind.js";
import { compareHashes, serves } from "./rounds.js";

const PUTS = 9_000;
const IN_FLIGHT = 150;
const KEYS = 500;

let cluster: Cluster | undefined;
afterEach(() => cluster?.dispose());

async function write(member: ClusterMember): Promise<number> {
  let next = 0;
  let revision = 0;
  const worker = async (): Promise<void> => {
    for (let put = next++; put < PUTS; put = next++) {
      const key = bytes(`s/${put % KEYS}`);
      const { header } = await member.client.put({ key, value: Buffer.alloc(200, `${put}`) });
      revision = Math.max(revision, Number(header?.revision));
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  return revision;
}

describe.skipIf(isMissing(subject))("catching up by snapshot", () => {
  test.each(["clean stop", "kill"])(
    "after a %s",
    async (how) => {
      const catchUp = subject === "etcd35" ? "--experimental-snapshot-catchup-entries" : "";
      const flags = ["--snapshot-count=1000", ...(catchUp === "" ? [] : [`${catchUp}=500`])];
      const of = await Cluster.start({ kind: subject, size: 3, flags });
      cluster = of;
      const away = of.members[2] as ClusterMember;
      await of.first.client.leaseGrant({ ID: 7n, TTL: 5_000n });
      await of.first.client.put({ key: bytes("leased"), value: bytes("v"), lease: 7n });
      await (how === "kill" ? away.kill() : away.stop());
      const revision = await write(await of.leader());
      await of.first.client.compact({ revision: BigInt(revision - 2_000) });
      const logBefore = away.process.log().length;
      await away.start();
      await serves(away);
      await compareHashes(of, revision);
      expect(away.process.log().slice(logBefore)).toMatch(/snapshot/i);

      // What came by snapshot is the whole state, and survives the member's own restart.
      await away.kill();
      await away.start();
      await serves(away);
      await compareHashes(of, revision);
      const { keys } = await away.client.leaseTimeToLive({ ID: 7n, keys: true });
      expect(keys.map(String)).toEqual(["leased"]);
      const old = away.client.range({ key: bytes("s/1"), revision: BigInt(revision - 2_001) });
      await expect(old).rejects.toMatchObject({ code: 11 });
    },
    90_000,
  );
});
