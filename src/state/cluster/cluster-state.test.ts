import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { KvError } from "../../base/errors.js";
import { Bucket } from "../../platform/rows.js";
import { ConfChangeRequest_Type as Type } from "../../wire/gen/internal.js";
import { Rows } from "../rows.fixture.js";
import type { MemberRecord } from "../types.js";
import { ClusterState } from "./cluster-state.js";
import { clusterId, memberId } from "./ids.js";

const sha1 = (bytes: Uint8Array) => createHash("sha1").update(bytes).digest();

function record(id: bigint, isLearner = false): MemberRecord {
  return { id, name: "", peerUrls: [`http://h${id}:2380`], clientUrls: [], isLearner };
}

function setUp(members: readonly MemberRecord[]) {
  const rows = new Rows();
  const cluster = new ClusterState();
  cluster.bootstrap(rows, 42n, { members, removed: new Set(), clusterVersion: "" });
  const change = (type: Type, id: bigint, more: { urls?: string[]; promote?: boolean } = {}) => {
    const { outcome, change } = cluster.applyConfChange(rows, {
      header: undefined,
      type,
      node_id: id,
      member: {
        ID: id,
        name: "",
        peerURLs: more.urls ?? [`http://h${id}:2380`],
        clientURLs: [],
        isLearner: type === Type.ADD_LEARNER,
      },
      promote: more.promote ?? false,
    });
    if (outcome instanceof KvError) {
      expect(change).toBeUndefined();
      return outcome.reason;
    }
    return change?.changes.map(({ type, id }) => `${type} ${id}`).join();
  };
  return { rows, cluster, change };
}

describe("cluster state", () => {
  test("changes follow etcd's rules", () => {
    const { cluster, change } = setUp([record(1n), record(2n)]);
    expect(change(Type.ADD_VOTER, 2n)).toBe("memberExists");
    expect(change(Type.ADD_VOTER, 3n, { urls: ["http://x", "http://h1:2380"] })).toBe(
      "peerUrlExists",
    );
    expect(change(Type.ADD_LEARNER, 3n)).toBe("addLearner 3");
    expect(cluster.confState()).toMatchObject({ voters: [1n, 2n], learners: [3n] });
    expect(change(Type.ADD_VOTER, 1n, { promote: true })).toBe("memberNotLearner");
    expect(change(Type.ADD_VOTER, 9n, { promote: true })).toBe("memberNotFound");
    expect(change(Type.ADD_VOTER, 3n, { promote: true })).toBe("addVoter 3");
    expect(cluster.confState()).toMatchObject({ voters: [1n, 2n, 3n], learners: [] });
    expect(change(Type.UPDATE, 9n)).toBe("memberNotFound");
    expect(change(Type.UPDATE, 3n, { urls: ["http://h2:2380"] })).toBe("peerUrlExists");
    expect(change(Type.UPDATE, 3n, { urls: ["http://new", "http://h3:2380"] })).toBe("update 3");
    expect(cluster.member(3n)?.peerUrls).toEqual(["http://new", "http://h3:2380"]);
    expect(change(Type.REMOVE, 9n)).toBe("memberNotFound");
    expect(change(Type.REMOVE, 3n)).toBe("remove 3");
    for (const type of [Type.ADD_VOTER, Type.ADD_LEARNER, Type.REMOVE, Type.UPDATE]) {
      expect(change(type, 3n)).toBe("memberNotFound");
    }
    expect(cluster.isRemoved(3n)).toBe(true);
    expect(change(7 as Type, 1n)).toBeUndefined();
  });

  test("the last voter stays, whatever learners there are", () => {
    const { change, rows } = setUp([record(1n), record(2n, true)]);
    const writes = rows.writes;
    expect(change(Type.REMOVE, 1n)).toBe("notEnoughStartedMembers");
    expect(rows.writes).toBe(writes);
    expect(change(Type.REMOVE, 2n)).toBe("remove 2");
  });

  test("an update or promotion keeps what the member said about itself", () => {
    const { cluster, change, rows } = setUp([record(1n), record(2n, true)]);
    cluster.setAttributes(rows, 2n, {
      name: "two",
      clientUrls: ["http://c2"],
      serverVersion: "3.6.4",
      incarnation: 22n,
    });
    const nine = { name: "nine", clientUrls: [], serverVersion: "3.6.0", incarnation: 99n };
    cluster.setAttributes(rows, 9n, nine);
    change(Type.UPDATE, 2n, { urls: ["http://p"] });
    change(Type.ADD_VOTER, 2n, { promote: true });
    expect(cluster.member(2n)).toEqual({
      id: 2n,
      name: "two",
      clientUrls: ["http://c2"],
      peerUrls: ["http://p"],
      isLearner: false,
      serverVersion: "3.6.4",
      incarnation: 22n,
    });
    expect(cluster.members()).toHaveLength(2);
  });

  test("restore reads back all of it, members ascending by number and not by text", () => {
    const { cluster, change, rows } = setUp([record(0x10n), record(0x9n), record(2n ** 64n - 1n)]);
    cluster.setVersion(rows, "3.6.0");
    change(Type.REMOVE, 2n ** 64n - 1n);
    const restored = new ClusterState();
    restored.bootstrap(new Rows(), 1n, {
      members: [record(77n)],
      removed: new Set([5n]),
      clusterVersion: "3.6.0",
    });
    restored.restore(rows);
    expect(restored.members()).toEqual(cluster.members());
    expect(restored.members().map((member) => member.id)).toEqual([9n, 16n]);
    expect(restored.clusterId).toBe(42n);
    expect(restored.clusterVersion()).toBe("3.6.0");
    expect(restored.isRemoved(2n ** 64n - 1n)).toBe(true);
    expect(restored.isRemoved(77n)).toBe(false);
    expect(rows.dump(Bucket.membersRemoved)).toEqual([
      `${Buffer.from("ffffffffffffffff").toString("hex")}=${Buffer.from("removed").toString("hex")}`,
    ]);
  });
});

describe("incarnations", () => {
  const says = (incarnation: bigint, name = "two") => ({
    ...{ name, clientUrls: [], serverVersion: "3.6.0", incarnation },
  });

  test("the first one counts; who comes with another one changes nothing", () => {
    const { cluster, rows } = setUp([record(1n), record(2n)]);
    cluster.setAttributes(rows, 2n, says(0n));
    expect(cluster.member(2n)?.incarnation).toBeUndefined();
    cluster.setAttributes(rows, 2n, says(0xffff_0000_0000_0001n));
    const { writes } = rows;
    cluster.setAttributes(rows, 2n, says(7n, "an impostor"));
    expect(rows.writes).toBe(writes);
    // A member whose build sends no incarnation keeps the known one.
    cluster.setAttributes(rows, 2n, says(0n, "new name"));
    const member = { name: "new name", incarnation: 0xffff_0000_0000_0001n };
    expect(cluster.member(2n)).toMatchObject(member);
    const again = new ClusterState();
    again.restore(rows);
    expect(again.member(2n)).toMatchObject(member);
  });

  test("it goes with its member", () => {
    const { cluster, change, rows } = setUp([record(1n), record(2n)]);
    const before = rows.dump(Bucket.cluster);
    cluster.setAttributes(rows, 2n, says(5n));
    expect(rows.dump(Bucket.cluster)).not.toEqual(before);
    change(Type.REMOVE, 2n);
    expect(rows.dump(Bucket.cluster)).toEqual(before);
  });
});

describe("versions", () => {
  const says = (cluster: ClusterState, rows: Rows, id: bigint, serverVersion: string) =>
    cluster.setAttributes(rows, id, {
      ...{ name: `m${id}`, clientUrls: [], serverVersion, incarnation: id },
    });
  const set = (cluster: ClusterState, rows: Rows, version: string): boolean => {
    const { writes } = rows;
    const { kind } = cluster.setVersion(rows, version);
    expect(kind).toBe(rows.writes === writes ? "none" : "clusterVersion");
    return kind === "clusterVersion";
  };
  const at = (version: string, ...members: string[]) => {
    const found = setUp(members.map((_, place) => record(BigInt(place + 1))));
    for (const [place, own] of members.entries()) {
      says(found.cluster, found.rows, BigInt(place + 1), own);
    }
    expect(set(found.cluster, found.rows, version)).toBe(true);
    return found;
  };

  test("the first may be any version; nothing that is none, nothing again", () => {
    const { cluster, rows } = setUp([record(1n), record(2n)]);
    expect(cluster.dueVersion()).toBeUndefined();
    for (const text of ["", "new", "3"]) expect(set(cluster, rows, text)).toBe(false);
    expect(cluster.clusterVersion()).toBe("");
    expect(set(cluster, rows, "3.7.4")).toBe(true);
    expect(cluster.clusterVersion()).toBe("3.7.0");
    for (const text of ["3.7.0", "3.6.0", "3.8.0", "new"]) {
      expect(set(cluster, rows, text)).toBe(false);
    }
  });

  test("it rises by one minor, and only when the last member runs that", () => {
    const { cluster, rows } = at("3.6.0", "3.7.0", "3.7.2", "3.6.0");
    expect(set(cluster, rows, "3.7.0")).toBe(false);
    says(cluster, rows, 3n, "3.7.0");
    expect(cluster.dueVersion()).toBe("3.7.0");
    for (const text of ["3.8.0", "3.5.0", "3.7", "3.7.2"]) {
      expect(set(cluster, rows, text)).toBe(false);
    }
    expect(set(cluster, rows, "3.7.0")).toBe(true);
    expect([cluster.clusterVersion(), cluster.dueVersion()]).toEqual(["3.7.0", undefined]);
  });

  test("a member that has not spoken, or no longer says its version, counts as the oldest", () => {
    const { cluster, rows, change } = at("3.6.0", "3.7.0", "3.7.0");
    expect(change(Type.ADD_LEARNER, 3n)).toBe("addLearner 3");
    expect(set(cluster, rows, "3.7.0")).toBe(false);
    change(Type.REMOVE, 3n);
    expect(cluster.dueVersion()).toBe("3.7.0");
    says(cluster, rows, 2n, "");
    expect(cluster.member(2n)).toMatchObject({ name: "m2", serverVersion: undefined });
    expect(set(cluster, rows, "3.7.0")).toBe(false);
    says(cluster, rows, 2n, "3.7.1");
    expect(set(cluster, rows, "3.7.0")).toBe(true);
  });

  test("rows: what members said, gone with them; restored, the same rules go on", () => {
    const { cluster, rows, change } = at("3.6.0", "3.7.0", "3.6.3", "3.7.0");
    const keys = () => rows.dump(Bucket.cluster).map((row) => Buffer.from(row, "hex").toString());
    const textRow = (key: string) => keys().some((found) => found.startsWith(key));
    expect(textRow("version/2")).toBe(true);
    change(Type.REMOVE, 2n);
    expect(textRow("version/2")).toBe(false);
    expect(textRow("version/3")).toBe(true);
    const restored = new ClusterState();
    restored.restore(rows);
    expect(restored.members()).toEqual(cluster.members());
    expect(restored.dueVersion()).toBe("3.7.0");
    // The data directory is from before members named their version.
    rows.delete(Bucket.cluster, Buffer.from("version/1"));
    restored.restore(rows);
    expect(restored.member(1n)?.serverVersion).toBeUndefined();
    expect(restored.dueVersion()).toBeUndefined();
  });

  const refusal = (outcome: unknown): string | undefined =>
    outcome instanceof KvError ? outcome.reason : undefined;

  test("a downgrade lowers it by one at once and holds it there until it ends", () => {
    const { cluster, rows } = at("3.7.0", "3.7.0", "3.7.1");
    for (const target of ["3.5.0", "3.7.0", "3.8.0", "2.6.0", "3.6", "v3.6.0", "low"]) {
      expect(refusal(cluster.beginDowngrade(rows, target))).toBe("invalidDowngradeTargetVersion");
    }
    expect(cluster.beginDowngrade(rows, "3.6.0")).toEqual({
      kind: "clusterVersion",
      version: "3.6.0",
    });
    expect(cluster.clusterVersion()).toBe("3.6.0");
    expect(set(cluster, rows, "3.7.0")).toBe(false);
    expect(cluster.isDowngradeComplete()).toBe(false);
    const restored = new ClusterState();
    restored.restore(rows);
    expect([restored.downgradeTarget(), restored.dueVersion()]).toEqual(["3.6.0", undefined]);
    says(cluster, rows, 1n, "3.6.0");
    expect(cluster.isDowngradeComplete()).toBe(false);
    says(cluster, rows, 2n, "3.6.8");
    expect(cluster.isDowngradeComplete()).toBe(true);
    expect(cluster.endDowngrade(rows)).toEqual({ kind: "none" });
    expect([cluster.downgradeTarget(), cluster.clusterVersion()]).toEqual([undefined, "3.6.0"]);
    const { writes } = rows;
    expect(refusal(cluster.endDowngrade(rows))).toBe("noInflightDowngrade");
    expect(rows.writes).toBe(writes);
    restored.restore(rows);
    expect(restored.downgradeTarget()).toBeUndefined();
  });

  test("a downgrade that was given up: the cluster rises again", () => {
    const { cluster, rows } = at("3.7.0", "3.7.0", "3.7.0");
    cluster.beginDowngrade(rows, "3.6.0");
    cluster.endDowngrade(rows);
    expect(cluster.dueVersion()).toBe("3.7.0");
    expect(set(cluster, rows, "3.7.0")).toBe(true);
  });

  test("no downgrade without a version, below the oldest, twice, or under a member two above", () => {
    const undecided = setUp([record(1n)]);
    expect(refusal(undecided.cluster.beginDowngrade(undecided.rows, "3.6.0"))).toBe(
      "clusterVersionUnavailable",
    );
    const oldest = at("3.6.0", "3.6.0");
    expect(refusal(oldest.cluster.beginDowngrade(oldest.rows, "3.5.0"))).toBe(
      "invalidDowngradeTargetVersion",
    );
    const mixed = at("3.7.0", "3.7.0", "3.8.0");
    expect(refusal(mixed.cluster.beginDowngrade(mixed.rows, "3.6.0"))).toBe(
      "invalidDowngradeTargetVersion",
    );
    const twice = at("3.8.0", "3.8.0");
    twice.cluster.beginDowngrade(twice.rows, "3.7.0");
    says(twice.cluster, twice.rows, 1n, "3.7.0");
    expect(refusal(twice.cluster.beginDowngrade(twice.rows, "3.6.0"))).toBe("downgradeInProcess");
  });
});

describe("ids", () => {
  // The expected ids were observed on a real etcd with these settings.
  test("a single member with the default token", () => {
    const peerUrls = ["http://127.0.0.1:23800"];
    const id = memberId({ peerUrls, token: "etcd-cluster", unixSeconds: undefined }, sha1);
    expect(id.toString(16)).toBe("2e1259d415f2a040");
    expect(clusterId([id], sha1)).toBe(324952591200643719n);
  });

  test("order of URLs and members does not matter, the time of joining does", () => {
    const of = (peerUrls: string[], unixSeconds?: number) =>
      memberId({ peerUrls, token: "t", unixSeconds }, sha1);
    expect(of(["http://b", "http://a"])).toBe(of(["http://a", "http://b"]));
    expect(of(["http://a"], 1_700_000_000)).not.toBe(of(["http://a"]));
    expect(clusterId([5n, 2n ** 63n], sha1)).toBe(clusterId([2n ** 63n, 5n], sha1));
  });
});
