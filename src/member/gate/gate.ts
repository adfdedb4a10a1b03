/**
 * The one gate: every request of a client passes here before it reads state or goes into the log,
 * and nothing else decides whether it may. The rules stand in table.ts.
 */
import type { Done } from "../../base/done.js";
import { KvError } from "../../base/errors.js";
import type { Applied } from "../../state/types.js";
import type { Proposal } from "../../wire/proposal.js";
import {
  type Change,
  type ChangeRequest,
  type Client,
  noClient,
  type ReadRequest,
  type WriteRequest,
} from "./requests.js";
import type { GateView } from "./rules.js";
import {
  type ChangingRpc,
  type Page,
  pageTable,
  type QueueingRpc,
  type ReadingRpc,
  type RelayingRpc,
  type Rpc,
  rpcTable,
  type WritingRpc,
} from "./table.js";

type Rules<Request> = readonly ((member: GateView, request: Request) => KvError | undefined)[];

export interface GateParts {
  readonly view: GateView;
  /** Puts a request into the log. `done` gets the outcome once it is applied here. */
  propose(request: Proposal, done: Done<Applied>): void;
  proposeChange(change: Change, done: Done<Applied>): void;
  /** Calls `done` when everything is applied here that was committed before this call. */
  readBarrier(done: Done<void>): void;
  /**
   * Calls `done` once this member's state is known to be right: at once if nothing is in doubt. An
   * error says that the state is wrong, or that the answer took too long.
   */
  whenSure(done: Done<void>): void;
}

export class Gate {
  readonly #parts: GateParts;

  constructor(parts: GateParts) {
    this.#parts = parts;
  }

  /** Call when a call comes, before its message is decoded. Undefined: it may go on. */
  admit(rpc: Rpc, client: Client): KvError | undefined {
    return this.#refusal(rpcTable[rpc].arrival, client);
  }

  /** As `admit`, for a page or a question of another member, which is no RPC. */
  admitPage(page: Page): KvError | undefined {
    return this.#refusal(pageTable[page], noClient);
  }

  /**
   * Call when a message of a stream must wait. `waiting` counts the messages of that stream that wait,
   * with this one. Undefined: it may.
   */
  admitWaiting(rpc: QueueingRpc, waiting: number): KvError | undefined {
    return this.#refusal(rpcTable[rpc].queue, waiting);
  }

  /**
   * Calls `done` without an error when this request may read the state: at once within that call. A
   * request that is not local then sees everything that was committed before this call. Waits while
   * it is in doubt whether this member's state is right.
   */
  read(rpc: ReadingRpc, request: ReadRequest, done: Done<void>): void {
    const refusal = this.#refusal(rpcTable[rpc].read, request);
    if (refusal !== undefined) done(refusal);
    else if (request.isLocal) this.#whenSure(done);
    else this.barrier(done);
  }

  /**
   * Puts a request into the log. `done` gets its outcome once it is applied here, or a refusal. If
   * the outcome itself is a KvError, `done` gets that error.
   */
  write(rpc: WritingRpc, request: WriteRequest, done: Done<Applied>): void {
    const refusal = this.#refusal(rpcTable[rpc].write, request);
    if (refusal !== undefined) done(refusal);
    else if (request.growthBytes > 0 && this.#parts.view.isOutOfSpace()) {
      this.#unlessFull(() => this.#parts.propose(request, done), done);
    } else this.#parts.propose(request, done);
  }

  /**
   * The alarm may have ended at other members, and a client may know that. So this member refuses
   * only after a read barrier. Apply would refuse, too, but a refused request would fill the log.
   */
  #unlessFull(go: () => void, refuse: (error: KvError) => void): void {
    this.barrier((error) => {
      if (error !== undefined) refuse(error);
      else if (this.#parts.view.isOutOfSpace()) refuse(new KvError("noSpace"));
      else go();
    });
  }

  /** As `write`, for a change of the membership. */
  change(rpc: ChangingRpc, request: ChangeRequest, done: Done<Applied>): void {
    const refusal = this.#refusal(rpcTable[rpc].change, request);
    if (refusal !== undefined) done(refusal);
    else this.#parts.proposeChange(request.change, done);
  }

  /**
   * Runs `ask`, whose answer may come from another member, and passes the answer on. A member that
   * lost its state meanwhile passes on nothing: its header would be wrong.
   */
  relay<T>(rpc: RelayingRpc, client: Client, ask: (done: Done<T>) => void, done: Done<T>): void {
    const { relay } = rpcTable[rpc];
    const refusal = this.#refusal(relay, client);
    if (refusal !== undefined) done(refusal);
    else ask((answer) => done(this.#refusal(relay, client) ?? answer));
  }

  /**
   * Calls `done` when this member may read its own state, as a linearizable read of a client would.
   */
  barrier(done: Done<void>): void {
    if (this.#parts.view.isStopping()) done(new KvError("stopped"));
    else {
      this.#parts.readBarrier((refusal) => {
        if (refusal === undefined) this.#whenSure(done);
        else done(refusal);
      });
    }
  }

  #whenSure(done: Done<void>): void {
    if (this.#parts.view.isStopping()) done(new KvError("stopped"));
    else this.#parts.whenSure(done);
  }

  #refusal<Request>(rules: Rules<Request>, request: Request): KvError | undefined {
    for (const rule of rules) {
      const refusal = rule(this.#parts.view, request);
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }
}
