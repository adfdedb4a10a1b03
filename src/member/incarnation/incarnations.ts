/**
 * Knows which log each member id belongs to, and whether this member may vote
 * (docs/decisions/0017). Every log has a random incarnation. A member writes its incarnation into
 * the log, and the first one that the state hears of counts for ever. So a member that lost its log
 * and comes back under its old id is detected: it detects itself as soon as its new log or state
 * names the old incarnation, and so does every member that knows the old one.
 *
 * A member that joined is a novice until its own incarnation is committed. A novice follows and
 * acknowledges, but nobody counts its vote, because it cannot tell whether it has voted before. A
 * cluster of two is the exception: the other member is part of every quorum and knows all past
 * decisions, so it may count a novice's vote. Otherwise the cluster could not grow from one to two.
 *
 * Founders vote at once, because nothing can be committed before they do. Until a founder's
 * incarnation is in the log, the hellos protect it: each peer stores on its disk the incarnations
 * that it has heard.
 */
import type { Platform } from "../../platform/platform.js";
import { type Entry, EntryType, type Message, type RaftEvent } from "../../raft/types.js";
import type { ClusterReader } from "../../state/types.js";
import { ClusterMemberAttrSetRequest } from "../../wire/gen/internal.js";
import { openRequest } from "../../wire/internal-request.js";
import { RequestField } from "../../wire/proposal.js";
import type { KnownIncarnations } from "./known-incarnations.js";
import { LostDataError } from "./lost-data.js";

/** Message.context of a novice's vote. Only a candidate of a cluster of two may count it. */
const fromNovice = 1;

export interface IncarnationParts {
  readonly selfId: bigint;
  readonly name: string;
  /** The incarnation of this member's log. */
  readonly own: bigint;
  readonly isJoiner: boolean;
  readonly known: Pick<KnownIncarnations, "get" | "set">;
  cluster(): ClusterReader;
  voters(): readonly bigint[];
  post(event: RaftEvent): void;
  isStopped(): boolean;
  /** The disk failed: the member must stop. */
  failed(error: Error): void;
  readonly log: Platform["log"];
}

export class Incarnations {
  readonly #parts: IncarnationParts;
  #isNovice: boolean;
  /** The replicated state names this member's incarnation, so it cannot change any more. */
  #isSettled = false;
  #isRefusalTold = false;
  /** False while another part forbids this member to lead. */
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

  /** Call before the first event. A novice does not stand for election. */
  start(): void {
    if (!this.#isNovice) return;
    this.#parts.post({ kind: "mayLead", isAllowed: false });
    this.#parts.log(
      "info",
      "this member joins: it has no vote until the cluster knows its log",
      {},
    );
  }

  /**
   * Checks the incarnation in a peer's hello, and stores it if it is the first from this peer.
   * False: the peer is known with another log.
   */
  greeted(from: bigint, incarnation: bigint): boolean {
    const { selfId } = this.#parts;
    const first = this.incarnationOf(from);
    if (first !== 0n) return first === incarnation;
    const cluster = this.#parts.cluster();
    // A stranger's messages have no effect, so its incarnation is not stored.
    const isMember = (id: bigint): boolean => id === selfId || cluster.member(id) !== undefined;
    if (!isMember(from) || incarnation === 0n || this.#parts.isStopped()) return true;
    try {
      this.#parts.known.set(from, incarnation, isMember);
    } catch (error) {
      this.#parts.failed(error as Error);
    }
    return true;
  }

  /** The incarnation that the state or this member's disk has for a member; 0n: none. */
  incarnationOf(id: bigint): bigint {
    return this.#parts.cluster().member(id)?.incarnation ?? this.#parts.known.get(id) ?? 0n;
  }

  /** Returns the message in the form in which it may leave this member. */
  outgoing(message: Message): Message {
    if (!this.#isNovice || message.reject) return message;
    switch (message.type) {
      case "MsgVoteResp":
      case "MsgPreVoteResp":
        return { ...message, context: fromNovice };
      case "MsgHeartbeatResp":
        // The context would confirm a read. A novice may have forgotten a vote for a newer leader,
        // so it must not confirm that the sender still leads.
        return { ...message, context: 0 };
      default:
        return message;
    }
  }

  /** Returns false if the message must not reach raft. */
  admits(message: Message): boolean {
    const isVote = message.type === "MsgVoteResp" || message.type === "MsgPreVoteResp";
    if (!isVote || message.context !== fromNovice) return true;
    return this.#parts.voters().length === 2;
  }

  /** Call before entries are appended, and so acknowledged. @throws LostDataError */
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

  /**
   * Call when entries were applied: the state may name this member's incarnation now.
   * @throws LostDataError
   */
  applied(): void {
    if (this.#isSettled) return;
    const { selfId, known, own, isJoiner } = this.#parts;
    const named = this.#parts.cluster().member(selfId)?.incarnation;
    if (named === undefined) return;
    this.#compare(named);
    this.#isSettled = true;
    // The member also stores it in a file: if it gives up this state later, it must not become a
    // novice again.
    if (isJoiner && known.get(selfId) !== own) known.set(selfId, own);
    if (!this.#isNovice) return;
    this.#isNovice = false;
    this.#parts.post({ kind: "mayLead", isAllowed: this.#mayLead });
  }

  /**
   * Returns the event that raft may get: a novice may not lead, whatever other parts allow. Once
   * the member is no novice, those parts decide.
   */
  filtered(event: RaftEvent): RaftEvent {
    if (event.kind !== "mayLead") return event;
    this.#mayLead = event.isAllowed;
    return this.#isNovice ? { kind: "mayLead", isAllowed: false } : event;
  }

  /**
   * Call when a peer says that it knows this member's id with another log. A member whose
   * incarnation is in the state does not stop for that: the peer's knowledge may date from before a
   * majority lost all data.
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
