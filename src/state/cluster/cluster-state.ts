/**
 * The members of the cluster as the log decided them: also the ids that were removed for ever, the
 * cluster's id and the cluster version. The rows are in cluster-rows.ts.
 *
 * Every command checks first, so after a KvError nothing has changed. The proposer checks limits
 * that come from configuration (learners, quorum health). They must not decide here, because all
 * members must come to the same result.
 */
import { KvError } from "../../base/errors.js";
import { invariant } from "../../base/invariant.js";
import type { BackendReader } from "../../platform/backend.js";
import type { ConfChange, ConfState } from "../../raft/types.js";
import { type ConfChangeRequest, ConfChangeRequest_Type } from "../../wire/gen/internal.js";
import type { ClusterReader, MemberRecord, Outcome, WriteHandle } from "../types.js";
import {
  byId,
  moveToRemoved,
  putClusterId,
  putClusterVersion,
  putDowngradeTarget,
  putIncarnation,
  putMember,
  putRemoved,
  putServerVersion,
  readClusterRows,
} from "./cluster-rows.js";
import {
  isAtLeast,
  minorsAhead,
  nextVersion,
  oldestVersion,
  parseVersion,
  versionText,
} from "./version.js";

/** The result of a change. `change` undefined: the entry is void, and raft must skip it. */
export interface ConfChangeResult {
  readonly outcome: Outcome | KvError;
  readonly change: ConfChange | undefined;
}

const nothing = new Uint8Array(0);

export class ClusterState implements ClusterReader {
  #clusterId = 0n;
  #clusterVersion = "";
  #downgradeTarget: string | undefined;
  #dueVersion: string | undefined;
  /** The members, ascending by id. The list is replaced whole, so that readers may keep it. */
  #members: readonly MemberRecord[] = [];
  readonly #removed = new Set<bigint>();

  restore(reader: BackendReader): void {
    const rows = readClusterRows(reader);
    this.#clusterId = rows.clusterId;
    this.#clusterVersion = rows.clusterVersion;
    this.#downgradeTarget = rows.downgradeTarget;
    this.#setMembers(rows.members);
    this.#removed.clear();
    for (const id of rows.removed) this.#removed.add(id);
  }

  /** Sets the first members of a new cluster, or those that a joining member was told. */
  bootstrap(
    w: WriteHandle,
    clusterId: bigint,
    state: {
      readonly members: readonly MemberRecord[];
      readonly removed: ReadonlySet<bigint>;
      readonly clusterVersion: string;
    },
  ): void {
    invariant(this.#members.length === 0, "a cluster is bootstrapped twice");
    putClusterId(w, clusterId);
    this.#clusterId = clusterId;
    for (const member of state.members) this.#save(w, member);
    for (const id of state.removed) {
      putRemoved(w, id);
      this.#removed.add(id);
    }
    if (state.clusterVersion !== "") this.#saveVersion(w, state.clusterVersion);
  }

  /** Applies a change by etcd's rules for its kind. An error makes the entry void. */
  applyConfChange(w: WriteHandle, request: ConfChangeRequest): ConfChangeResult {
    const id = request.node_id;
    if (this.#removed.has(id)) return refused("memberNotFound");
    switch (request.type) {
      case ConfChangeRequest_Type.ADD_VOTER:
        return request.promote ? this.#promote(w, id) : this.#add(w, request, false);
      case ConfChangeRequest_Type.ADD_LEARNER:
        return this.#add(w, request, true);
      case ConfChangeRequest_Type.REMOVE:
        return this.#remove(w, id);
      case ConfChangeRequest_Type.UPDATE:
        return this.#update(w, id, request.member?.peerURLs ?? []);
      default:
        return { outcome: { kind: "none" }, change: undefined };
    }
  }

  /**
   * Stores what a member says about itself when it starts. Skips a member that was removed
   * meanwhile. Also skips one whose log is not the log with which its id first took part: that
   * member lost its data.
   */
  setAttributes(
    w: WriteHandle,
    id: bigint,
    attributes: {
      readonly name: string;
      readonly clientUrls: readonly string[];
      /** Empty from builds that do not send it. */
      readonly serverVersion: string;
      /** 0n from builds that do not send it. */
      readonly incarnation: bigint;
    },
  ): Outcome {
    const member = this.member(id);
    const told = attributes.incarnation === 0n ? member?.incarnation : attributes.incarnation;
    const incarnation = member?.incarnation ?? told;
    if (member !== undefined && incarnation === told) {
      const { name, clientUrls } = attributes;
      const isKnown = parseVersion(attributes.serverVersion) !== undefined;
      const serverVersion = isKnown ? attributes.serverVersion : undefined;
      if (serverVersion !== undefined || member.serverVersion !== undefined) {
        putServerVersion(w, id, serverVersion);
      }
      if (incarnation !== undefined && incarnation !== member.incarnation) {
        putIncarnation(w, id, incarnation);
      }
      const said = { name, clientUrls: [...clientUrls], serverVersion, incarnation };
      this.#save(w, { ...member, ...said });
    }
    return { kind: "none" };
  }

  /** Sets the first version, whatever it is; later only the next one that all members allow. */
  setVersion(w: WriteHandle, version: string): Outcome {
    const parsed = parseVersion(version);
    const isFirst = this.#clusterVersion === "" && parsed !== undefined;
    if (!isFirst && version !== this.#dueVersion) return { kind: "none" };
    return this.#saveVersion(w, isFirst ? versionText(parsed) : version);
  }

  /**
   * Begins a downgrade. From this entry on the cluster has the lower version, so members of that
   * version may replace the others one by one. Nothing raises the version until the downgrade ends.
   */
  beginDowngrade(w: WriteHandle, target: string): Outcome | KvError {
    const refusal = this.downgradeRefusal(target);
    if (refusal !== undefined) return refusal;
    putDowngradeTarget(w, target);
    this.#downgradeTarget = target;
    return this.#saveVersion(w, target);
  }

  /** Ends a downgrade. The version stays until all members allow the higher one again. */
  endDowngrade(w: WriteHandle): Outcome | KvError {
    if (this.#downgradeTarget === undefined) return new KvError("noInflightDowngrade");
    putDowngradeTarget(w, undefined);
    this.#downgradeTarget = undefined;
    this.#setMembers(this.#members);
    return { kind: "none" };
  }

  /** Refuses as etcd does, and also if a member runs a build that cannot serve the target. */
  downgradeRefusal(target: string): KvError | undefined {
    const now = parseVersion(this.#clusterVersion);
    if (now === undefined) return new KvError("clusterVersionUnavailable");
    const version = parseVersion(target);
    const isNext =
      version !== undefined && minorsAhead(now, version) === 1 && target === versionText(version);
    if (!isNext || !isAtLeast(target, oldestVersion)) {
      return new KvError("invalidDowngradeTargetVersion");
    }
    if (this.#downgradeTarget !== undefined) return new KvError("downgradeInProcess");
    const tooNew = versionText({ ...now, minor: now.minor + 1 });
    const hasTooNew = this.#members.some((member) => isAtLeast(versionOf(member), tooNew));
    return hasTooNew ? new KvError("invalidDowngradeTargetVersion") : undefined;
  }

  /** The configuration that follows from the members; never joint. */
  confState(): ConfState {
    return {
      voters: this.#members.filter((member) => !member.isLearner).map((member) => member.id),
      learners: this.#members.filter((member) => member.isLearner).map((member) => member.id),
      votersOutgoing: [],
      learnersNext: [],
      autoLeave: false,
    };
  }

  get clusterId(): bigint {
    return this.#clusterId;
  }

  members(): readonly MemberRecord[] {
    return this.#members;
  }

  member(id: bigint): MemberRecord | undefined {
    return this.#members.find((member) => member.id === id);
  }

  isRemoved(id: bigint): boolean {
    return this.#removed.has(id);
  }

  removed(): ReadonlySet<bigint> {
    return this.#removed;
  }

  clusterVersion(): string {
    return this.#clusterVersion;
  }

  dueVersion(): string | undefined {
    return this.#dueVersion;
  }

  downgradeTarget(): string | undefined {
    return this.#downgradeTarget;
  }

  isDowngradeComplete(): boolean {
    const target = parseVersion(this.#downgradeTarget ?? "");
    if (target === undefined) return false;
    return this.#members.every(({ serverVersion }) => {
      const version = parseVersion(serverVersion ?? "");
      return version !== undefined && minorsAhead(version, target) === 0;
    });
  }

  #add(w: WriteHandle, request: ConfChangeRequest, isLearner: boolean): ConfChangeResult {
    const id = request.node_id;
    const peerUrls = request.member?.peerURLs ?? [];
    if (this.member(id) !== undefined) return refused("memberExists");
    if (this.#isPeerUrlTaken(peerUrls, id)) return refused("peerUrlExists");
    const name = request.member?.name ?? "";
    const clientUrls = request.member?.clientURLs ?? [];
    const member: MemberRecord = { id, name, peerUrls, clientUrls, isLearner };
    this.#save(w, member);
    return this.#accepted(isLearner ? "addLearner" : "addVoter", member);
  }

  #promote(w: WriteHandle, id: bigint): ConfChangeResult {
    const member = this.member(id);
    if (member === undefined) return refused("memberNotFound");
    if (!member.isLearner) return refused("memberNotLearner");
    const promoted: MemberRecord = { ...member, isLearner: false };
    this.#save(w, promoted);
    return this.#accepted("addVoter", promoted);
  }

  #remove(w: WriteHandle, id: bigint): ConfChangeResult {
    const member = this.member(id);
    if (member === undefined) return refused("memberNotFound");
    const voters = this.#members.filter((known) => !known.isLearner);
    // A configuration without voters could never decide anything again.
    if (!member.isLearner && voters.length === 1) return refused("notEnoughStartedMembers");
    moveToRemoved(w, member);
    this.#setMembers(this.#members.filter((known) => known.id !== id));
    this.#removed.add(id);
    return this.#accepted("remove", member);
  }

  #update(w: WriteHandle, id: bigint, peerUrls: readonly string[]): ConfChangeResult {
    const member = this.member(id);
    if (member === undefined) return refused("memberNotFound");
    if (this.#isPeerUrlTaken(peerUrls, id)) return refused("peerUrlExists");
    const updated: MemberRecord = { ...member, peerUrls };
    this.#save(w, updated);
    return this.#accepted("update", updated);
  }

  #accepted(type: ConfChange["changes"][number]["type"], member: MemberRecord): ConfChangeResult {
    return {
      outcome: { kind: "members", member, members: this.#members },
      change: { transition: "auto", changes: [{ type, id: member.id }], context: nothing },
    };
  }

  #isPeerUrlTaken(peerUrls: readonly string[], by: bigint): boolean {
    return this.#members.some(
      (member) => member.id !== by && member.peerUrls.some((url) => peerUrls.includes(url)),
    );
  }

  #save(w: WriteHandle, member: MemberRecord): void {
    putMember(w, member);
    const others = this.#members.filter((known) => known.id !== member.id);
    this.#setMembers([...others, member].sort(byId));
  }

  #saveVersion(w: WriteHandle, version: string): Outcome {
    putClusterVersion(w, version);
    this.#clusterVersion = version;
    this.#setMembers(this.#members);
    return { kind: "clusterVersion", version };
  }

  /**
   * Every input of `dueVersion` changes here, so its result can be cached: it is asked for often.
   */
  #setMembers(members: readonly MemberRecord[]): void {
    this.#members = members;
    const mayRise = this.#clusterVersion !== "" && this.#downgradeTarget === undefined;
    this.#dueVersion = mayRise ? nextVersion(this.#clusterVersion, members) : undefined;
  }
}

function versionOf(member: MemberRecord): string {
  return member.serverVersion ?? oldestVersion;
}

function refused(
  reason:
    | "memberNotFound"
    | "memberExists"
    | "peerUrlExists"
    | "memberNotLearner"
    | "notEnoughStartedMembers",
): ConfChangeResult {
  return { outcome: new KvError(reason), change: undefined };
}
