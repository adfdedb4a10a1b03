/**
 * Which log each member id belongs to, and whether ours may vote (docs/decisions/0017). Every log has a
 * random incarnation. A member says in the log which one it has; the first that the state hears of
 * counts for ever. So a member that comes back without its log, under its old id, is found out: by
 * itself, as soon as its new log or state names the old incarnation, and by every member that knows it.
 *
 * Until its own incarnation is committed, a member that joined is a novice: it follows and acknowledges,
 * but its vote counts for nobody, because it cannot tell whether it has voted before. In a cluster of
 * two the other one is part of every quorum and knows all that was ever decided: there it may count a
 * novice's vote, without which the cluster could not grow from one to two.
 *
 * Founders vote from the first moment, as nothing can be committed before. What protects them until
 * their incarnation is in the log is what each peer has heard in hellos, which it keeps on its disk.
 */
import type { Platform } from "../../platform/platform.js";
import { type Entry, EntryType, type Message, type RaftEvent } from "../../raft/types.js";
import type { ClusterReader } from "../../state/types.js";
import { ClusterMemberAttrSetRequest } from "../../wire/gen/internal.js";
import { openRequest } from "../../wire/internal-request.js";
import { RequestField } from "../../wire/proposal.js";
import type { KnownIncarnations } from "./known-incarnations.js";
import { LostDataError } from "./lost-data.js";

/** Message.context of a vote that only a candidate of a cluster of two may count. */
const fromNovice = 1;

export interface IncarnationParts {
  readonly selfId: bigint;
  readonly name: string;
  /** Of our log. */
  readonly own: bigint;
  readonly isJoiner: boolean;
  readonly known: KnownIncarnations;
  cluster(): ClusterReader;
  voters(): readonly bigint[];
  post(event: RaftEvent): void;
  isStopped(): boolean;
  /** The disk fails: the member stops. */
  failed(error: Error): void;
  readonly log: Platform["log"];
}

export class Incarnations {
  readonly #parts: IncarnationParts;
  #isNovice: boolean;
  /** The replicated state names our incarnation: nothing about it can change any more. */
  #isSettled = false;
  #isRefusalTold = false;
  /** Whether anything else forbids us to lead. */
  #mayLead = true;

  /** @throws LostDataError */
  constructor(parts: IncarnationParts) {
    this.#parts = parts;
    const { selfId, own, known } = parts;
    const isKnown =
      known.get(selfId) === own || parts.cluster().member(selfId)?.incarnation === own;
    this.#isNovice = parts.isJoiner && !isKnown;
    this.applied();
  }

  get own(): bigint {
    return this.#parts.own;
  }

  /** Before the first event: a novice does not stand for election. */
  start(): void {
    if (!this.#isNovice) return;
    this.#parts.post({ kind: "mayLead", isAllowed: false });
    this.#parts.log(
      "info",
      "this member joins: it has no vote until the cluster knows its log",
      {},
    );
  }

  /** As a peer greets us. False: it is known with another log. */
  greeted(from: bigint, incarnation: bigint): boolean {
    const { selfId } = this.#parts;
    const first = this.incarnationOf(from);
    if (first !== 0n) return first === incarnation;
    const cluster = this.#parts.cluster();
    // Of a stranger nothing counts, so nothing needs to be remembered.
    const isMember = (id: bigint): boolean => id === selfId || cluster.member(id) !== undefined;
    if (!isMember(from) || incarnation === 0n || this.#parts.isStopped()) return true;
    try {
      this.#parts.known.set(from, incarnation, isMember);
    } catch (error) {
      this.#parts.failed(error as Error);
    }
    return true;
  }

  /** 0n: not known. */
  incarnationOf(id: bigint): bigint {
    return this.#parts.cluster().member(id)?.incarnation ?? this.#parts.known.get(id) ?? 0n;
  }

  /** What may leave in the place of a message of ours. */
  outgoing(message: Message): Message {
    if (!this.#isNovice || message.reject) return message;
    switch (message.type) {
      case "MsgVoteResp":
      case "MsgPreVoteResp":
        return { ...message, context: fromNovice };
      case "MsgHeartbeatResp":
        // It would confirm a read: who forgot its votes cannot know that the leader still leads.
        return { ...message, context: 0 };
      default:
        return message;
    }
  }

  /** False: raft must not see it. */
  admits(message: Message): boolean {
    const isVote = message.type === "MsgVoteResp" || message.type === "MsgPreVoteResp";
    if (!isVote || message.context !== fromNovice) return true;
    return this.#parts.voters().length === 2;
  }

  /** Before entries are appended, so before we acknowledge them. @throws LostDataError */
  appending(entries: readonly Entry[]): void {
    if (this.#isSettled) return;
    for (const { type, data } of entries) {
      if (type !== EntryType.normal || data.length === 0) continue;
      const { field, body } = openRequest(data);
      if (field !== RequestField.clusterMemberAttrSet) continue;
      const { member_ID, incarnation } = ClusterMemberAttrSetRequest.decode(body);
      if (member_ID === this.#parts.selfId) this.#compare(incarnation);
    }
  }

  /** The state may name our incarnation now. @throws LostDataError */
  applied(): void {
    if (this.#isSettled) return;
    const { selfId, known, own, isJoiner } = this.#parts;
    const named = this.#parts.cluster().member(selfId)?.incarnation;
    if (named === undefined) return;
    this.#compare(named);
    this.#isSettled = true;
    // A state that must be given up later may not make us a novice again.
    if (isJoiner && known.get(selfId) !== own) known.set(selfId, own);
    if (!this.#isNovice) return;
    this.#isNovice = false;
    this.#parts.post({ kind: "mayLead", isAllowed: this.#mayLead });
  }

  /** What others decide about our leading, as far as it may take effect. */
  filtered(event: RaftEvent): RaftEvent {
    if (event.kind !== "mayLead") return event;
    this.#mayLead = event.isAllowed;
    return this.#isNovice ? { kind: "mayLead", isAllowed: false } : event;
  }

  /**
   * A peer knows our id with another log. Whom the state names does not stop at the word of one: that
   * one may come from before a majority lost all it had.
   */
  refused(): void {
    if (!this.#isSettled) this.#parts.failed(this.#lostData());
    else if (!this.#isRefusalTold) {
      this.#isRefusalTold = true;
      const text = "a peer refuses this member: it knows it with another log";
      this.#parts.log("warn", text, {});
    }
  }

  #lostData(): LostDataError {
    return new LostDataError(this.#parts.selfId, this.#parts.name);
  }

  #compare(incarnation: bigint): void {
    if (incarnation !== 0n && incarnation !== this.#parts.own) throw this.#lostData();
  }
}
