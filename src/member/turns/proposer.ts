/** Puts requests into the log: gives them ids, encodes them, and asks for a turn. */
import type { Done } from "../../base/done.js";
import type { Clock } from "../../platform/clock.js";
import { EntryType } from "../../raft/types.js";
import type { Applied } from "../../state/types.js";
import type { Caller, RequestField } from "../../wire/proposal.js";
import { encodeChange } from "../cluster/membership.js";
import type { Change } from "../gate/requests.js";
import type { Proposals } from "./proposals.js";
import type { EntryEncoder } from "./request-codec.js";

export interface ProposerParts {
  readonly selfId: bigint;
  readonly clock: Clock;
  readonly proposals: Pick<Proposals, "add" | "enqueue" | "nextId">;
  readonly encoder: Pick<EntryEncoder, "encode">;
  /** Asks the driver for a turn. */
  schedule(): void;
  isStopping(): boolean;
  /** The user as whom the member itself acts. Undefined: auth is off. */
  ownCaller(): Caller | undefined;
}

export class Proposer {
  readonly #parts: ProposerParts;

  constructor(parts: ProposerParts) {
    this.#parts = parts;
  }

  /**
   * Calls `done` with the outcome once the entry is applied here, or with an error. Checks nothing: a
   * client's request has passed the gate.
   */
  propose(field: RequestField, body: Uint8Array, done: Done<Applied>, caller?: Caller): void {
    const id = this.#waitFor(done);
    const { proposals, encoder } = this.#parts;
    proposals.enqueue(EntryType.normal, encoder.encode(id, field, body, caller));
    this.#parts.schedule();
  }

  /**
   * Proposes a request of the member itself. Neither quota nor size is checked. Calls `done`,
   * without the outcome, when the request has ended: applied or given up.
   */
  proposeInternal(field: RequestField, body: Uint8Array, done: () => void): void {
    if (this.#parts.isStopping()) this.#parts.clock.defer(done);
    else this.propose(field, body, () => done());
  }

  /**
   * Proposes a decision that only the leader may take. It is dropped if this member no longer leads
   * at the append, or if `isRight` is false then.
   */
  proposeAsLeader(field: RequestField, body: Uint8Array, isRight = () => true): void {
    const { proposals, encoder } = this.#parts;
    if (this.#parts.isStopping()) return;
    const entry = encoder.encode(proposals.nextId(), field, body, this.#parts.ownCaller());
    proposals.enqueue(EntryType.normal, entry, isRight);
    this.#parts.schedule();
  }

  proposeChange(change: Change, done: Done<Applied>): void {
    const id = this.#waitFor(done);
    const data = encodeChange(change, { id, proposer: this.#parts.selfId });
    this.#parts.proposals.enqueue(EntryType.confChange, data);
    this.#parts.schedule();
  }

  /** A fresh id under which `done` waits. */
  #waitFor(done: Done<Applied>): number {
    const { proposals, clock } = this.#parts;
    const id = proposals.nextId();
    proposals.add(id, clock.now(), done);
    return id;
  }
}
