/**
 * The plain state that all roles share, and the two queues of messages to send. There are no rules
 * here: the role files decide what may change. Fields are named as in the Raft paper and etcd.
 */
import { invariant } from "../base/invariant.js";
import type { Rng } from "../platform/rng.js";
import { RaftLog } from "./log/raft-log.js";
import { type MessageFields, makeMessage } from "./message.js";
import { ReadRounds } from "./read-rounds.js";
import { ProgressTracker } from "./tracker/progress-tracker.js";
import type {
  Contradiction,
  HardState,
  LogStorage,
  Message,
  MessageType,
  RaftConfig,
  RaftVariants,
  ReadState,
  Role,
} from "./types.js";

export class RaftState {
  readonly id: bigint;
  readonly config: RaftConfig;
  readonly variants: RaftVariants;
  readonly rng: Rng;
  readonly log: RaftLog;
  readonly tracker: ProgressTracker;

  term: number;
  vote: bigint;
  role: Role = "follower";
  /** The leader of this term; 0n: none is known. */
  leader = 0n;

  /** Ticks since the last message of a leader; at a leader, since its last quorum check. */
  electionElapsed = 0;
  heartbeatElapsed = 0;
  /** Drawn anew on every change of role, so that two candidates do not tie forever. */
  electionTimeout = 0;

  /** Follower only, see contradiction.ts: the leader may lack entries that are committed here. */
  isDoubtful = false;
  /**
   * True once a leader's heartbeat came in this life. Until then the leader may lack entries that
   * are committed here.
   */
  hasHeardLeader = false;
  /** The leader does lack such entries: this member follows, and acknowledges nothing. */
  isContradicted = false;
  contradictions: Contradiction[] = [];

  /** False while another part forbids this member to stand for election. */
  mayLead = true;

  /** Leader only: the member that leadership is handed to; 0n: none. */
  leadTransferee = 0n;
  /** Leader only: no conf change is appended until everything up to here is applied. */
  pendingConfIndex = 0;
  /** Leader only: data bytes appended and not yet applied; never more than the true number. */
  uncommittedBytes = 0;
  /** Leader only: reads waiting for the first commit of this term. */
  readsBeforeCommit: Message[] = [];
  readonly reads = new ReadRounds();

  readStates: ReadState[] = [];
  /** Messages that may leave at once. */
  messages: Message[] = [];
  /** Messages that promise durability: they leave after everything appended so far is durable. */
  messagesAfterAppend: Message[] = [];

  constructor(config: RaftConfig, storage: LogStorage, rng: Rng) {
    const { hardState } = storage.initialState();
    this.id = config.id;
    this.config = config;
    this.variants = config.variants ?? {};
    this.rng = rng;
    this.log = new RaftLog(storage, hardState.commit, {
      applyBytesMax: config.applyBytesMax,
      applyBeforeDurable: this.variants.applyBeforeDurable ?? false,
      appliedIndex: config.appliedIndex,
    });
    this.tracker = new ProgressTracker({
      messagesMax: config.inflightMessagesMax,
      bytesMax: config.inflightBytesMax,
    });
    this.term = hardState.term;
    this.vote = hardState.vote;
  }

  hardState(): HardState {
    return { term: this.term, vote: this.vote, commit: this.log.committed };
  }

  /**
   * Sends with this member's id and term. Forwarded requests keep their origin and carry no term.
   */
  send(fields: MessageFields): void {
    const message = makeMessage(fields);
    const { type, to } = message;
    if (message.from === 0n) message.from = this.id;
    const isVote = isVoteType(type);
    invariant(isVote === message.term > 0, "votes, and only they, set the term", () => ({ type }));
    const isTermless = type === "MsgProp" || type === "MsgReadIndex";
    if (!isVote && !isTermless) message.term = this.term;
    if (promisesDurability(type)) {
      this.messagesAfterAppend.push(message);
      return;
    }
    invariant(to !== this.id, "a message to ourselves must wait for our disk", () => ({ type }));
    this.messages.push(message);
  }
}

function isVoteType(type: MessageType): boolean {
  switch (type) {
    case "MsgVote":
    case "MsgVoteResp":
    case "MsgPreVote":
    case "MsgPreVoteResp":
      return true;
    default:
      return false;
  }
}

/**
 * True for messages that may leave only when the state behind them is durable. Raft thesis, section
 * 3.8: no member may hear of a vote or an acknowledgement before it survives a restart. Rejections
 * wait, too: they may depend on state that is not durable yet.
 */
function promisesDurability(type: MessageType): boolean {
  return type === "MsgAppResp" || type === "MsgVoteResp" || type === "MsgPreVoteResp";
}
