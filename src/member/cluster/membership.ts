/**
 * Makes changes of the configuration and checks them before they are proposed. `quorumRefusal` has
 * etcd's strict checks: they keep a cluster from removing its own quorum. They look at connections
 * and progress, so they cannot stand in apply; the checks of apply are in state/cluster.
 */
import { KvError } from "../../base/errors.js";
import type { Hash } from "../../platform/hash.js";
import type { RaftStatus } from "../../raft/types.js";
import { memberId } from "../../state/cluster/ids.js";
import type { ClusterReader, MemberRecord } from "../../state/types.js";
import { ConfChangeRequest, ConfChangeRequest_Type } from "../../wire/gen/internal.js";
import type { Change } from "../gate/requests.js";

/** Milliseconds that a connection must have lasted to count (etcd's HealthInterval). */
const healthIntervalMs = 5_000;
/** A learner may be promoted when it holds this share of the leader's log. */
const learnerReadyShare = 0.9;

export interface MembershipParts {
  readonly selfId: bigint;
  readonly hash: Hash;
  readonly isStrict: boolean;
  readonly learnersMax: number;
  cluster(): ClusterReader;
  nowMs(): number;
  unixMs(): number;
  activeSince(id: bigint): number | undefined;
  raftStatus(): RaftStatus;
}

export class Membership {
  readonly #parts: MembershipParts;

  constructor(parts: MembershipParts) {
    this.#parts = parts;
  }

  /** Returns the change to propose, or the refusal. */
  add(peerUrls: readonly string[], isLearner: boolean): Change | KvError {
    const cluster = this.#parts.cluster();
    const members = cluster.members();
    if (members.some((member) => member.peerUrls.some((url) => peerUrls.includes(url)))) {
      return new KvError("peerUrlExists");
    }
    if (isLearner && count(members, (m) => m.isLearner) >= this.#parts.learnersMax) {
      return new KvError("tooManyLearners");
    }
    // etcd derives the id of a member that is added later from its URLs and the current second.
    const unixSeconds = Math.floor(this.#parts.unixMs() / 1000);
    const id = memberId({ peerUrls, token: "", unixSeconds }, this.#parts.hash.sha1);
    return {
      type: isLearner ? ConfChangeRequest_Type.ADD_LEARNER : ConfChangeRequest_Type.ADD_VOTER,
      node_id: id,
      member: { ID: id, name: "", peerURLs: [...peerUrls], clientURLs: [], isLearner },
      promote: false,
    };
  }

  remove(id: bigint): Change | KvError {
    if (this.#parts.cluster().member(id) === undefined) return new KvError("memberNotFound");
    return {
      type: ConfChangeRequest_Type.REMOVE,
      node_id: id,
      member: undefined,
      promote: false,
    };
  }

  update(id: bigint, peerUrls: readonly string[]): Change | KvError {
    const cluster = this.#parts.cluster();
    if (cluster.member(id) === undefined) return new KvError("memberNotFound");
    const isTaken = (member: MemberRecord): boolean =>
      member.id !== id && member.peerUrls.some((url) => peerUrls.includes(url));
    if (cluster.members().some(isTaken)) return new KvError("peerUrlExists");
    return {
      type: ConfChangeRequest_Type.UPDATE,
      node_id: id,
      member: { ID: id, name: "", peerURLs: [...peerUrls], clientURLs: [], isLearner: false },
      promote: false,
    };
  }

  /** Only the leader can judge this: it alone knows how much log the learner has. */
  promote(id: bigint): Change | KvError {
    const member = this.#parts.cluster().member(id);
    if (member === undefined) return new KvError("memberNotFound");
    if (!member.isLearner) return new KvError("memberNotLearner");
    const status = this.#parts.raftStatus();
    const learner = status.progress.get(id);
    const leader = status.progress.get(this.#parts.selfId);
    if (learner === undefined || leader === undefined) return new KvError("notLeader");
    if (learner.match < leader.match * learnerReadyShare) return new KvError("learnerNotReady");
    return {
      type: ConfChangeRequest_Type.ADD_VOTER,
      node_id: id,
      member: undefined,
      promote: true,
    };
  }

  /**
   * Why the change could cost the cluster its quorum. Undefined: it could not, or this member was
   * configured not to check that.
   */
  quorumRefusal(change: Change): KvError | undefined {
    if (!this.#parts.isStrict) return undefined;
    if (change.promote) return this.#mayPromote();
    switch (change.type) {
      case ConfChangeRequest_Type.ADD_VOTER:
      case ConfChangeRequest_Type.ADD_LEARNER:
        return this.#mayAdd(change.type === ConfChangeRequest_Type.ADD_LEARNER);
      case ConfChangeRequest_Type.REMOVE:
        return this.#mayRemove(change.node_id);
      default:
        return undefined;
    }
  }

  /** The learner counts as a started voter of the new configuration. */
  #mayPromote(): KvError | undefined {
    const voters = this.#voters();
    const started = 1 + count(voters, isStarted);
    if (started < quorum(voters.length + 1)) return new KvError("notEnoughStartedMembers");
    return undefined;
  }

  #mayAdd(isLearner: boolean): KvError | undefined {
    const voters = this.#voters();
    const started = count(voters, isStarted);
    const isSecond = started === 1 && voters.length === 1;
    if (!isLearner && !isSecond && started < quorum(voters.length + 1)) {
      return new KvError("notEnoughStartedMembers");
    }
    if (this.#connected(voters) < voters.length) return new KvError("unhealthyCluster");
    return undefined;
  }

  #mayRemove(id: bigint): KvError | undefined {
    const voters = this.#voters();
    const rest = voters.filter((voter) => voter.id !== id);
    if (rest.length === voters.length) return undefined; // a learner
    if (rest.length === 0 || count(rest, isStarted) < quorum(rest.length)) {
      return new KvError("notEnoughStartedMembers");
    }
    // A member that is down is not part of the working quorum, so removing it is safe.
    const isSelf = id === this.#parts.selfId;
    if (!isSelf && this.#parts.activeSince(id) === undefined) return undefined;
    if (this.#connected(voters) - 1 < quorum(rest.length)) return new KvError("unhealthyCluster");
    return undefined;
  }

  #voters(): readonly MemberRecord[] {
    return this.#parts
      .cluster()
      .members()
      .filter((member) => !member.isLearner);
  }

  /**
   * How many of `members` have been connected to this member for the health interval. This member
   * counts, too.
   */
  #connected(members: readonly MemberRecord[]): number {
    const since = this.#parts.nowMs() - healthIntervalMs;
    return count(members, (member) => {
      if (member.id === this.#parts.selfId) return true;
      const active = this.#parts.activeSince(member.id);
      return active !== undefined && active <= since;
    });
  }
}

function quorum(members: number): number {
  return Math.floor(members / 2) + 1;
}

function isStarted(member: MemberRecord): boolean {
  return member.name !== "";
}

function count<T>(items: readonly T[], holds: (item: T) => boolean): number {
  let total = 0;
  for (const item of items) if (holds(item)) total++;
  return total;
}

/** Adds the header that names the waiting proposal. */
export function encodeChange(
  change: Change,
  header: { readonly id: number; readonly proposer: bigint },
): Uint8Array {
  return ConfChangeRequest.encode({
    ...change,
    header: { ID: BigInt(header.id), proposer: header.proposer, username: "", auth_revision: 0n },
  }).finish();
}
