/**
 * One member of a scenario: a node, its log, an appending state machine, and its storage threads.
 * In synchronous mode a Ready is persisted and applied at once; in asynchronous mode each write and
 * each page waits in a queue until the scenario lets the thread run.
 */
import { invariant } from "../../base/invariant.js";
import type { Rng } from "../../platform/rng.js";
import { MemoryLog } from "../fixtures/memory-log.fixture.js";
import { applyChange } from "../membership.js";
import { startState, stepEvent } from "../node.js";
import { ReadySource } from "../ready-source.js";
import type { RaftState } from "../state.js";
import {
  type AppendWork,
  type Entry,
  EntryType,
  type HardState,
  type Message,
  type RaftConfig,
  type RaftEvent,
  type Ready,
  type Role,
  type SnapshotMeta,
} from "../types.js";
import { decodeChange } from "./conf-change-text.fixture.js";
import {
  describeEntry,
  describeHardState,
  describeMessage,
  describeShown,
  describeSnapshot,
  roleName,
  type Shown,
} from "./describe.fixture.js";

/** Something on its way to a node: a message, or the report of a storage thread. */
export interface Delivery {
  readonly to: bigint;
  readonly type: string;
  /** True: the delivery stays within the member, and is never dropped. */
  readonly isLocal: boolean;
  readonly text: string;
  readonly events: readonly RaftEvent[];
}

export interface ThreadWork {
  /** The message to the thread, without its responses. */
  readonly text: string;
  run(): void;
  readonly responses: readonly Delivery[];
}

const rng: Rng = { int: () => 0, fork: () => rng };
const silent: Shown = {
  from: "",
  to: "",
  type: "",
  term: 0,
  logTerm: 0,
  index: 0,
  commit: 0,
  vote: 0n,
  entries: [],
  snapshot: undefined,
  responses: [],
};

export class InteractionNode {
  readonly state: RaftState;
  readonly log: MemoryLog;
  readonly appendWork: ThreadWork[] = [];
  readonly applyWork: ThreadWork[] = [];
  readonly #isAsync: boolean;
  readonly #ready: ReadySource;
  /** The states that the state machine has had. */
  readonly #history: SnapshotMeta[];
  #softState: { readonly leader: bigint; readonly role: Role };
  #hardState: HardState;

  constructor(config: RaftConfig, start: SnapshotMeta, isAsync: boolean) {
    this.log = new MemoryLog(start);
    this.#history = [start];
    this.log.latestSnapshot = () => this.#history.at(-1);
    this.#isAsync = isAsync;
    this.state = startState(config, this.log, rng);
    this.#ready = new ReadySource(this.state);
    this.#softState = { leader: this.state.leader, role: this.state.role };
    this.#hardState = this.state.hardState();
  }

  get id(): bigint {
    return this.state.id;
  }

  step(event: RaftEvent): void {
    stepEvent(this.state, event);
  }

  hasReady(): boolean {
    return this.#ready.hasReady();
  }

  /** Handles one Ready: returns its description and the messages that it causes. */
  processReady(): { readonly text: string; readonly deliveries: readonly Delivery[] } {
    const ready = this.#ready.take();
    if (ready === undefined) return { text: "<empty Ready>", deliveries: [] };
    const mustSync = this.#mustSync(ready);
    const lines = [`Ready MustSync=${mustSync}:`, ...this.#describeState(ready)];
    const outgoing = ready.send.map(messageDelivery);
    const shown = outgoing.map((delivery) => delivery.text);
    if (this.#isAsync) {
      if (ready.append !== undefined) shown.push(this.#queueAppend(ready.append));
      if (ready.apply.length > 0) shown.push(this.#queueApply(ready.apply));
    } else {
      for (const message of ready.append?.sendAfter ?? []) {
        if (message.to !== this.id) outgoing.push(messageDelivery(message));
      }
      shown.splice(0, shown.length, ...outgoing.map((delivery) => delivery.text));
      this.#persist(ready.append);
      this.#apply(ready.apply);
    }
    if (shown.length > 0) lines.push("Messages:", ...shown);
    if (!this.#isAsync) this.#advance(ready);
    return { text: lines.join("\n"), deliveries: outgoing };
  }

  #mustSync({ append }: Ready): boolean {
    const { hardState } = append ?? {};
    const isVoteNew =
      hardState !== undefined &&
      (hardState.term !== this.#hardState.term || hardState.vote !== this.#hardState.vote);
    if (hardState !== undefined) this.#hardState = hardState;
    const mustSync = isVoteNew || (append?.entries.length ?? 0) > 0;
    // Lockstep also asks for the sync of a snapshot, which the files leave to the storage.
    const isOurs = append?.mustSync ?? false;
    invariant(isOurs === (mustSync || append?.snapshot !== undefined), "mustSync as expected");
    return mustSync;
  }

  #describeState(ready: Ready): string[] {
    const lines: string[] = [];
    const { leader, role } = this.state;
    if (leader !== this.#softState.leader || role !== this.#softState.role) {
      lines.push(`Lead:${leader} State:${roleName(role)}`);
      this.#softState = { leader, role };
    }
    const { append } = ready;
    if (append?.hardState !== undefined) {
      lines.push(`HardState ${describeHardState(append.hardState)}`);
    }
    if (append !== undefined && append.entries.length > 0) {
      lines.push("Entries:", ...append.entries.map(describeEntry));
    }
    if (append?.snapshot !== undefined) lines.push(`Snapshot ${describeSnapshot(append.snapshot)}`);
    if (ready.apply.length > 0) lines.push("CommittedEntries:", ...ready.apply.map(describeEntry));
    return lines;
  }

  #persist(append: AppendWork | undefined): void {
    if (append?.hardState !== undefined) this.log.hardState = append.hardState;
    if (append?.snapshot !== undefined) this.log.restore(append.snapshot);
    else if (append !== undefined) this.log.append(append.entries);
  }

  #apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const { confState } = this.#history.at(-1) as SnapshotMeta;
      const isChange = entry.type !== EntryType.normal;
      const next = isChange ? applyChange(this.state, decodeChange(entry)) : confState;
      this.#history.push({ index: entry.index, term: entry.term, confState: next });
    }
  }

  /** Reports a Ready as done, in the order in which the disk and the state machine would. */
  #advance({ append, apply }: Ready): void {
    for (const message of append?.sendAfter ?? []) {
      if (message.to === this.id) this.step({ kind: "received", message });
    }
    for (const event of appendEvents(append)) this.step(event);
    const last = apply.at(-1);
    if (last !== undefined) this.step({ kind: "applied", index: last.index });
  }

  #queueAppend(append: AppendWork): string {
    const responses = append.sendAfter.map(messageDelivery);
    const { log } = this.state;
    const isPending = !log.unstable.isEmpty;
    if (isPending || append.snapshot !== undefined) {
      const shown: Shown = {
        ...silent,
        from: "AppendThread",
        to: this.id.toString(16),
        type: "MsgStorageAppendResp",
        term: this.state.term,
        logTerm: isPending ? log.lastTerm() : 0,
        index: isPending ? log.lastIndex() : 0,
        snapshot: append.snapshot,
      };
      responses.push(this.#report(shown, appendEvents(append)));
    }
    const { hardState } = append;
    const shown: Shown = {
      ...silent,
      from: this.id.toString(16),
      to: "AppendThread",
      type: "MsgStorageAppend",
      term: hardState?.term ?? 0,
      vote: hardState?.vote ?? 0n,
      commit: hardState?.commit ?? 0,
      entries: append.entries,
      snapshot: append.snapshot,
    };
    const text = describeShown(shown);
    this.appendWork.push({ text, responses, run: () => this.#persist(append) });
    return describeShown({ ...shown, responses: responses.map((response) => response.text) });
  }

  #queueApply(entries: readonly Entry[]): string {
    const index = (entries.at(-1) as Entry).index;
    const id = this.id.toString(16);
    const done = { ...silent, from: "ApplyThread", to: id, type: "MsgStorageApplyResp", entries };
    const responses = [this.#report(done, [{ kind: "applied", index }])];
    const shown = { ...silent, from: id, to: "ApplyThread", type: "MsgStorageApply", entries };
    const text = describeShown(shown);
    this.applyWork.push({ text, responses, run: () => this.#apply(entries) });
    return describeShown({ ...shown, responses: responses.map((response) => response.text) });
  }

  #report(shown: Shown, events: readonly RaftEvent[]): Delivery {
    return { to: this.id, type: shown.type, isLocal: true, text: describeShown(shown), events };
  }
}

export function messageDelivery(message: Message): Delivery {
  return {
    to: message.to,
    type: message.type,
    isLocal: message.from === message.to,
    text: describeMessage(message),
    events: [{ kind: "received", message }],
  };
}

function appendEvents(append: AppendWork | undefined): RaftEvent[] {
  const events: RaftEvent[] = [];
  const last = append?.entries.at(-1);
  if (last !== undefined) events.push({ kind: "persisted", index: last.index, term: last.term });
  if (append?.snapshot !== undefined) {
    events.push({ kind: "snapshotInstalled", index: append.snapshot.index });
  }
  return events;
}
