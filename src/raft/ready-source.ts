/**
 * Gathers all changes since the last call into one Ready. It remembers what it handed out, so it
 * hands nothing out twice and announces nothing that is unchanged.
 */
import type { RaftState } from "./state.js";
import type {
  AppendWork,
  Contradiction,
  Entry,
  HardState,
  Message,
  ReadState,
  Ready,
  Role,
} from "./types.js";

const noMessages: readonly Message[] = [];
const noEntries: readonly Entry[] = [];
const noReadStates: readonly ReadState[] = [];
const noContradictions: readonly Contradiction[] = [];

export class ReadySource {
  readonly #state: RaftState;
  #leader: bigint;
  #role: Role;
  #term: number;
  #hardState: HardState;

  constructor(state: RaftState) {
    this.#state = state;
    this.#leader = state.leader;
    this.#role = state.role;
    this.#term = state.term;
    this.#hardState = state.hardState();
  }

  hasReady(): boolean {
    const { log, messages, messagesAfterAppend, readStates, contradictions } = this.#state;
    return (
      messages.length > 0 ||
      messagesAfterAppend.length > 0 ||
      readStates.length > 0 ||
      contradictions.length > 0 ||
      log.unstable.hasNext() ||
      log.unstable.hasNextSnapshot() ||
      log.hasNextToApply() ||
      this.#isHardStateNew() ||
      this.#isSoftStateNew()
    );
  }

  /** Undefined: there is nothing to do. */
  take(): Ready | undefined {
    if (!this.hasReady()) return undefined;
    const state = this.#state;
    // Taken before the append: the new entries are not durable, so they must not be in this page,
    // unless the variant asks for it.
    const apply = state.log.hasNextToApply() ? state.log.takeToApply() : noEntries;
    const ready: Ready = {
      softState: this.#takeSoftState(),
      readStates: state.readStates.length > 0 ? state.readStates : noReadStates,
      contradictions: state.contradictions.length > 0 ? state.contradictions : noContradictions,
      send: state.messages.length > 0 ? state.messages : noMessages,
      append: this.#takeAppend(),
      apply,
    };
    if (state.readStates.length > 0) state.readStates = [];
    if (state.contradictions.length > 0) state.contradictions = [];
    if (state.messages.length > 0) state.messages = [];
    return ready;
  }

  #takeSoftState(): Ready["softState"] {
    if (!this.#isSoftStateNew()) return undefined;
    const { leader, role, term } = this.#state;
    this.#leader = leader;
    this.#role = role;
    this.#term = term;
    return { leader, role, term };
  }

  #takeAppend(): AppendWork | undefined {
    const { log, messagesAfterAppend } = this.#state;
    const { unstable } = log;
    const isHardStateNew = this.#isHardStateNew();
    const hasSnapshot = unstable.hasNextSnapshot();
    const hasEntries = unstable.hasNext();
    if (!isHardStateNew && !hasSnapshot && !hasEntries && messagesAfterAppend.length === 0) {
      return undefined;
    }
    const { term, vote } = this.#hardState;
    if (isHardStateNew) this.#hardState = this.#state.hardState();
    const isVoteNew = this.#hardState.term !== term || this.#hardState.vote !== vote;
    const work: AppendWork = {
      hardState: isHardStateNew ? this.#hardState : undefined,
      entries: hasEntries ? unstable.takeEntries() : noEntries,
      snapshot: hasSnapshot ? unstable.takeSnapshot() : undefined,
      mustSync: hasEntries || hasSnapshot || isVoteNew,
      sendAfter: messagesAfterAppend.length > 0 ? messagesAfterAppend : noMessages,
    };
    if (messagesAfterAppend.length > 0) this.#state.messagesAfterAppend = [];
    return work;
  }

  #isHardStateNew(): boolean {
    const { term, vote, commit } = this.#hardState;
    const state = this.#state;
    return state.log.committed !== commit || state.term !== term || state.vote !== vote;
  }

  #isSoftStateNew(): boolean {
    const { role, leader, term } = this.#state;
    return role !== this.#role || leader !== this.#leader || term !== this.#term;
  }
}
