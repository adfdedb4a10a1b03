/**
 * One node under test. The test sends it messages and collects its answers. Writes are durable at
 * once unless they are held; entries are applied at once unless `appliesByHand`.
 */
import type { Rng } from "../platform/rng.js";
import { MemoryLog } from "./memory-log.fixture.js";
import { makeMessage } from "./message.js";
import { createRaftNode } from "./node.js";
import {
  type AppendWork,
  type ConfState,
  type Contradiction,
  type Entry,
  EntryType,
  type HardState,
  type Message,
  type RaftConfig,
  type RaftEvent,
  type RaftNode,
  type ReadState,
} from "./types.js";

export const noLimit = Number.MAX_SAFE_INTEGER;
export const plain = { learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };

export function voters(...ids: number[]): ConfState {
  return { ...plain, voters: ids.map(BigInt) };
}

export function entry(term: number, index: number, text = ""): Entry {
  return { term, index, type: EntryType.normal, data: bytes(text) };
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export interface LoneOptions extends Partial<RaftConfig> {
  readonly confState?: ConfState;
  /** Terms of the entries after index 1. */
  readonly terms?: readonly number[];
  readonly hardState?: HardState;
  readonly rng?: Rng;
}

const zeroRng: Rng = { int: () => 0, fork: () => zeroRng };

/** Member 1; election timeout of 10 ticks without spread; log starts after index 1 of term 1. */
export class LoneNode {
  readonly node: RaftNode;
  readonly log: MemoryLog;
  sent: Message[] = [];
  reads: ReadState[] = [];
  contradictions: Contradiction[] = [];
  applied: Entry[] = [];
  works: AppendWork[] = [];
  isHolding = false;
  appliesByHand = false;
  readonly held: AppendWork[] = [];

  constructor({ confState, terms, hardState, rng, ...config }: LoneOptions = {}) {
    this.log = new MemoryLog({ index: 1, term: 1, confState: confState ?? voters(1, 2, 3) });
    this.log.append((terms ?? []).map((term, at) => entry(term, at + 2)));
    this.log.hardState = hardState ?? { term: terms?.at(-1) ?? 1, vote: 0n, commit: 1 };
    const full: RaftConfig = {
      id: 1n,
      electionTicks: 10,
      heartbeatTicks: 1,
      preVote: false,
      checkQuorum: false,
      messageBytesMax: noLimit,
      inflightMessagesMax: 256,
      inflightBytesMax: noLimit,
      uncommittedBytesMax: noLimit,
      applyBytesMax: noLimit,
      appliedIndex: 1,
      ...config,
    };
    this.node = createRaftNode(full, this.log, rng ?? zeroRng);
  }

  step(event: RaftEvent): this {
    this.node.step(event);
    this.run();
    return this;
  }

  receive(fields: Partial<Message> & Pick<Message, "type" | "from">): this {
    const term = fields.term ?? this.node.term();
    const message = makeMessage({ ...fields, to: 1n, term });
    return this.step({ kind: "received", message });
  }

  tick(count: number): this {
    for (let at = 0; at < count; at++) this.step({ kind: "tick" });
    return this;
  }

  propose(...texts: string[]): this {
    const entries = texts.map((text) => ({ type: EntryType.normal, data: bytes(text) }));
    return this.step({ kind: "proposed", entries });
  }

  /** Stands for election and gets the votes of the others. */
  elect(from: readonly bigint[] = [2n, 3n]): this {
    this.step({ kind: "campaign" });
    for (const id of from) this.receive({ type: "MsgVoteResp", from: id });
    return this;
  }

  acknowledge(from: bigint, index: number): this {
    return this.receive({ type: "MsgAppResp", from, index });
  }

  status() {
    return this.node.status();
  }

  /** The messages sent since the last call. */
  takeSent(type?: Message["type"]): Message[] {
    const sent = this.sent.filter((message) => type === undefined || message.type === type);
    this.sent = [];
    return sent;
  }

  /** The oldest held write is durable. */
  release(): void {
    const work = this.held.shift();
    if (work !== undefined) this.#done(work);
    this.run();
  }

  run(): void {
    for (let ready = this.node.takeReady(); ready !== undefined; ready = this.node.takeReady()) {
      this.sent.push(...ready.send);
      this.reads.push(...ready.readStates);
      this.contradictions.push(...ready.contradictions);
      if (ready.append !== undefined) this.#append(ready.append);
      this.applied.push(...ready.apply);
      const last = ready.apply.at(-1);
      if (last !== undefined && !this.appliesByHand) {
        this.node.step({ kind: "applied", index: last.index });
      }
    }
  }

  #append(work: AppendWork): void {
    this.works.push(work);
    if (work.snapshot !== undefined) this.log.restore(work.snapshot);
    this.log.append(work.entries);
    if (this.isHolding) this.held.push(work);
    else this.#done(work);
  }

  #done(work: AppendWork): void {
    for (const message of work.sendAfter) {
      if (message.to === 1n) this.node.step({ kind: "received", message });
      else this.sent.push(message);
    }
    const last = work.entries.at(-1);
    if (last !== undefined) {
      this.node.step({ kind: "persisted", index: last.index, term: last.term });
    }
    if (work.snapshot !== undefined) {
      this.node.step({ kind: "snapshotInstalled", index: work.snapshot.index });
    }
  }
}
