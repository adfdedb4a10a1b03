/** Versions and membership as replicated state. */
import { describe, expect, test } from "vitest";
import { EntryType } from "../raft/types.js";
import { ConfChangeRequest_Type as Type } from "../wire/gen/internal.js";
import { scanDigests } from "./digest.js";
import { applyCommand, type Command, firstMember, reopen, sha256 } from "./machine.fixture.js";
import { confChange, joiner, reasonOf, second, setUp } from "./machine-commands.fixture.js";

describe("versions", () => {
  const says = (serverVersion: string): Command => ({
    $case: "cluster_member_attr_set",
    value: {
      member_ID: firstMember,
      member_attributes: { name: "a", client_urls: [] },
      server_version: serverVersion,
      incarnation: 0n,
    },
  });
  const set = (ver: string): Command => ({ $case: "cluster_version_set", value: { ver } });
  const downgrade = (enabled: boolean, ver = ""): Command => ({
    $case: "downgrade_info_set",
    value: { enabled, ver },
  });

  test("a version that the members do not allow changes nothing but the index", () => {
    const { machine } = setUp();
    applyCommand(machine, says("3.6.0"));
    applyCommand(machine, set("3.6.0"));
    const before = machine.digests();
    expect(applyCommand(machine, set("3.7.0")).outcome).toEqual({ kind: "none" });
    expect(machine.digests().buckets).toEqual(before.buckets);
    expect(machine.cluster.clusterVersion()).toBe("3.6.0");
  });

  test("up, down and up again; a restart in between knows the same, digests match the rows", () => {
    const { backend, machine } = setUp();
    const story: (readonly [Command, string])[] = [
      [says("3.7.0"), ""],
      [set("3.6.0"), "3.6.0"],
      [set("3.7.0"), "3.7.0"],
      [downgrade(true, "3.6.0"), "3.6.0"],
      [set("3.7.0"), "3.6.0"],
      [downgrade(false), "3.6.0"],
      [set("3.7.0"), "3.7.0"],
    ];
    for (const [command, version] of story) {
      expect(reasonOf(applyCommand(machine, command))).toBeUndefined();
      expect(machine.cluster.clusterVersion()).toBe(version);
      const restored = reopen(backend);
      expect(restored.cluster.clusterVersion()).toBe(version);
      expect(restored.cluster.dueVersion()).toBe(machine.cluster.dueVersion());
      expect(restored.cluster.downgradeTarget()).toBe(machine.cluster.downgradeTarget());
      expect(scanDigests(backend, sha256)).toEqual(machine.digests().buckets);
    }
    expect(reasonOf(applyCommand(machine, downgrade(true, "3.5.0")))).toBe(
      "invalidDowngradeTargetVersion",
    );
    expect(reasonOf(applyCommand(machine, downgrade(false)))).toBe("noInflightDowngrade");
  });
});

describe("membership", () => {
  test("a learner joins, is promoted, reports itself, leaves with its alarms", () => {
    const { backend, machine } = setUp();
    const added = confChange(machine, { type: Type.ADD_LEARNER, member: joiner });
    expect(added.conf?.change?.changes).toEqual([{ type: "addLearner", id: second }]);
    expect([added.requestId, added.proposer]).toEqual([9, firstMember]);
    expect(machine.confState).toMatchObject({ voters: [firstMember], learners: [second] });
    expect(reopen(backend).confState).toEqual(machine.confState);

    confChange(machine, { type: Type.ADD_VOTER, promote: true });
    expect(machine.confState).toMatchObject({ voters: [firstMember, second], learners: [] });
    applyCommand(machine, {
      $case: "cluster_member_attr_set",
      value: {
        member_ID: second,
        member_attributes: { name: "b", client_urls: ["http://c"] },
        server_version: "3.6.0",
        incarnation: 3n,
      },
    });
    expect(machine.cluster.member(second)).toMatchObject({ name: "b", clientUrls: ["http://c"] });

    applyCommand(machine, { $case: "alarm", value: { action: 1, memberID: second, alarm: 2 } });
    const removed = confChange(machine, { type: Type.REMOVE });
    expect(removed.conf?.change?.changes).toEqual([{ type: "remove", id: second }]);
    expect(machine.alarms()).toEqual([]);
    expect(machine.cluster.isRemoved(second)).toBe(true);
    const restored = reopen(backend);
    expect(restored.alarms()).toEqual([]);
    expect(restored.cluster.members()).toEqual(machine.cluster.members());
    expect(restored.cluster.isRemoved(second)).toBe(true);
    expect(scanDigests(backend, sha256)).toEqual(machine.digests().buckets);
  });

  test("a void change is told to raft as void", () => {
    const { machine } = setUp();
    const refused = confChange(machine, { type: Type.REMOVE });
    expect([reasonOf(refused), refused.conf]).toEqual(["memberNotFound", { change: undefined }]);
    const index = machine.appliedIndex + 1;
    const data = new Uint8Array(0);
    const left = machine.apply({ index, term: 2, type: EntryType.confChangeV2, data });
    expect([left.outcome, left.conf]).toEqual([{ kind: "none" }, { change: undefined }]);
  });
});
