/**
 * `--force-new-cluster` when two of three members are gone for good: the page of docs/operations about
 * it, command by command. The one that is left keeps its data, is alone, and refuses the old members.
 */
import { afterEach, describe, expect, test } from "vitest";
import { Runbook } from "../operations/runbook.js";
import { bytes } from "../support/client.js";
import { Cluster, type ClusterMember } from "../support/cluster.js";
import { isMissing } from "../support/server-kind.js";

let cluster: Cluster | undefined;
afterEach(() => cluster?.dispose());

async function memberIds(of: ClusterMember): Promise<readonly bigint[]> {
  const { members } = await of.client.memberList({ linearizable: true });
  return members.map(({ ID }) => ID);
}

describe.skipIf(isMissing("lockstep"))("two of three members are lost for good", () => {
  test("the third becomes a cluster of its own, with all that it had", async () => {
    cluster = await Cluster.start({ kind: "lockstep", size: 3 });
    const left = await cluster.leader();
    const lost = cluster.members.filter((member) => member !== left);
    const key = bytes("kept");
    await left.client.put({ key, value: bytes("by three") });
    const before = await left.client.range({ key });
    for (const member of lost) await member.kill();
    const runbook = new Runbook("lost-majority.md", cluster.folder);
    Object.assign(runbook.env, {
      LEFT: left.endpoint,
      NAME: left.name,
      DATA_DIR: left.dataDir,
    });
    expect((await runbook.run("look")).text).toMatch(/RAFT INDEX/);
    await left.kill();
    expect((await runbook.run("copy")).code).toBe(0);
    await left.start(["--force-new-cluster"]);
    expect(left.process.log()).toMatch(/forcing a new cluster/);
    const alone = await runbook.run("alone");
    expect(alone.code).toBe(0);
    expect(alone.text.match(/started/g)).toHaveLength(1);
    const after = await left.client.range({ key });
    expect(after.kvs).toEqual(before.kvs);
    expect(after.header?.cluster_id).toBe(before.header?.cluster_id);
    expect(runbook.left()).toEqual([]);

    // An old member is refused, whatever it holds, and says so when it ends.
    const [old] = lost as [ClusterMember];
    const refused = old.spawn();
    await refused.waitForLine(/removed from the cluster/i, 30_000);
    expect(await refused.exited).toMatchObject({ signal: null });
    expect(await memberIds(left)).toHaveLength(1);

    // Without the flag it stays what it is, and it can grow again.
    await left.restart();
    await left.client.put({ key, value: bytes("alone") });
    await left.client.memberAdd({ peerURLs: ["http://127.0.0.1:1"], isLearner: true });
    expect(await memberIds(left)).toHaveLength(2);
    // The flag again removes it.
    await left.stop();
    await left.start(["--force-new-cluster"]);
    expect(await memberIds(left)).toHaveLength(1);
  });
});
