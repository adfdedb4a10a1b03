/**
 * For tests and benchmarks only: histories of clients that overlap, with answers of an atomic store
 * (atomic-store.fixture.ts). Each request takes effect at one moment within its interval, so that
 * the history is linearizable by construction - unless `bug` asks for one false answer.
 *
 * The same options give the same history. `ground` is what changed the store, in order, with
 * the leases that ended by themselves as revocations: what a log would hold.
 */
import type { Rng } from "../../../platform/rng.js";
import type {
  History,
  Operation,
  Outcome,
  Request,
  Watch,
  WatchEvent,
} from "../../history/types.js";
import { Dice } from "../../sim/dice.js";
import { type AtomicState, emptyAtomicState, stepAtomic } from "./atomic-store.fixture.js";
import { EventQueue } from "./event-queue.fixture.js";
import { GeneratedWatch } from "./generated-watch.fixture.js";
import { drawRequest } from "./request-draw.fixture.js";

/**
 * One false answer, at the first chance from operation `from` on:
 *  - staleRead: a linearizable read of one revision before what was acknowledged when it was called
 *  - lostWrite: a put that is answered as if done, and is not
 *  - duplicateRevision: a put whose answer names the revision of the write before it
 *  - skippedRevision: a revision that nothing made
 */
export interface Bug {
  readonly kind: "staleRead" | "lostWrite" | "duplicateRevision" | "skippedRevision";
  readonly from: number;
}

export interface GeneratorOptions {
  readonly seed: number;
  readonly operations: number;
  readonly clients: number;
  readonly keys: number;
  readonly unknownPerMille: number;
  readonly watches?: number;
  readonly bug?: Bug;
  /** Replaces the default mix of requests. */
  readonly draw?: typeof drawRequest;
}

export interface GeneratedHistory {
  readonly history: History;
  readonly ground: readonly Request[];
  /** Of the operation with the false answer. */
  readonly brokenId?: number;
  readonly revision: number;
}

const statesKeptMax = 4_096;
const leasesKnownMax = 8;
const members = 3;
const spanUsMax = 4_000;
const thinkUsMax = 1_000;
const lateUsMax = 200_000;

export function generateEtcdHistory(options: GeneratorOptions): GeneratedHistory {
  return new Generator(options).run();
}

class Generator {
  readonly #options: GeneratorOptions;
  readonly #rng: Rng;
  readonly #queue = new EventQueue();
  readonly #operations: Operation[] = [];
  readonly #ground: Request[] = [];
  readonly #states = new Map<number, AtomicState>([[1, emptyAtomicState]]);
  readonly #events: (readonly WatchEvent[])[] = [];
  readonly #watches: GeneratedWatch[] = [];
  readonly #leases: string[] = [];
  /** Lease -> when it ends unless it is renewed. */
  readonly #deadlines = new Map<string, number>();
  #state = emptyAtomicState;
  #acknowledged = 1;
  #nextId = 0;
  /** Requests without an answer whose effect has not happened yet. */
  #pending = 0;
  #chosenLeases = 0;
  #brokenId: number | undefined;

  constructor(options: GeneratorOptions) {
    this.#options = options;
    this.#rng = new Dice(options.seed).sequence();
  }

  run(): GeneratedHistory {
    for (let client = 0; client < this.#options.clients; client++) this.#think(client, 0);
    for (let id = 0; id < (this.#options.watches ?? 0); id++) {
      this.#queue.add(this.#rng.int(spanUsMax * 20), (atUs) => this.#watch(id, atUs));
    }
    this.#queue.run();
    this.#operations.sort((a, b) => a.callUs - b.callUs || a.id - b.id);
    const watches: readonly Watch[] = this.#watches.map((watch) => watch.recorded());
    return {
      history: { operations: this.#operations, watches, marks: [] },
      ground: this.#ground,
      revision: this.#state.revision,
      ...(this.#brokenId === undefined ? {} : { brokenId: this.#brokenId }),
    };
  }

  #think(client: number, atUs: number): void {
    this.#queue.add(atUs + 1 + this.#rng.int(thinkUsMax), (callUs) => this.#call(client, callUs));
  }

  #call(client: number, callUs: number): void {
    const { operations, keys, unknownPerMille, draw = drawRequest } = this.#options;
    if (this.#nextId >= operations) return;
    const id = this.#nextId++;
    const rng = this.#rng;
    const request = draw({ rng, state: this.#state, keys, id, leases: this.#leases });
    const call = { id, client, member: `m${1 + (client % members)}`, callUs, request };
    if (rng.int(1000) < unknownPerMille) {
      this.#callInVain(call);
      return;
    }
    const acknowledged = this.#acknowledged;
    this.#queue.add(callUs + rng.int(spanUsMax), (effectUs) => {
      const outcome = this.#outcome(call, { effectUs, acknowledged });
      this.#queue.add(effectUs + rng.int(spanUsMax), (returnUs) => {
        this.#operations.push({ ...call, returnUs, outcome });
        this.#learn(request, outcome);
        this.#think(client, returnUs);
      });
    });
  }

  /** The client gets no answer; a third of these requests has no effect, a third a late one. */
  #callInVain(call: Omit<Operation, "returnUs" | "outcome">): void {
    const rng = this.#rng;
    const endUs = call.callUs + 1 + rng.int(spanUsMax);
    const fate = rng.int(3);
    if (fate > 0) {
      this.#pending++;
      const laterUs = fate === 1 ? rng.int(endUs - call.callUs) : rng.int(lateUsMax);
      const context = { acknowledged: 0 };
      this.#queue.add(call.callUs + laterUs, (effectUs) => {
        this.#pending--;
        this.#outcome(call, { ...context, effectUs });
      });
    }
    this.#queue.add(endUs, (atUs) => {
      const returnUs = rng.int(4) === 0 ? undefined : atUs;
      const outcome = { kind: "unknown", error: "etcdserver: request timed out" } as const;
      this.#operations.push({ ...call, returnUs, outcome });
      this.#think(call.client, atUs);
    });
  }

  #outcome(
    { id, request }: { readonly id: number; readonly request: Request },
    at: { readonly effectUs: number; readonly acknowledged: number },
  ): Outcome {
    if (request.kind === "range" && request.serializable === true)
      return this.#readLocally(request);
    const bug = this.#brokenId === undefined ? this.#options.bug : undefined;
    if (bug !== undefined && id >= bug.from && at.acknowledged > 2) {
      const broken = this.#break(bug.kind, request, at);
      if (broken !== undefined) {
        this.#brokenId = id;
        return broken;
      }
    }
    return this.#commit(request, at.effectUs);
  }

  /** The answer of a member that may be some revisions behind. */
  #readLocally(request: Extract<Request, { kind: "range" }>): Outcome {
    const behind = this.#rng.int(2) === 0 ? 0 : this.#rng.int(10);
    const state = this.#states.get(this.#state.revision - behind) ?? this.#state;
    const { answer, error } = stepAtomic(state, request, (revision) => this.#states.get(revision));
    if (answer === undefined) return { kind: "refused", error: error ?? "" };
    return { kind: "ok", revision: state.revision, answer };
  }

  #break(
    kind: Bug["kind"],
    request: Request,
    at: { readonly effectUs: number; readonly acknowledged: number },
  ): Outcome | undefined {
    if (kind === "staleRead") {
      const isRead = request.kind === "range" && (request.revision ?? 0) === 0;
      const state = this.#states.get(at.acknowledged - 1);
      if (!isRead || state === undefined) return undefined;
      const { answer } = stepAtomic(state, request, () => undefined);
      if (answer === undefined) return undefined;
      return { kind: "ok", revision: state.revision, answer };
    }
    if (request.kind !== "put" || request.lease !== undefined) return undefined;
    if (kind === "lostWrite") {
      return { kind: "ok", revision: this.#state.revision + 1, answer: { kind: "put" } };
    }
    if (kind === "skippedRevision") {
      this.#keep({ ...this.#state, revision: this.#state.revision + 1 }, []);
      return this.#commit(request, at.effectUs);
    }
    const outcome = this.#commit(request, at.effectUs);
    return outcome.kind === "ok" ? { ...outcome, revision: outcome.revision - 1 } : undefined;
  }

  #commit(asked: Request, atUs: number): Outcome {
    const isUnnamed = asked.kind === "leaseGrant" && asked.id === "0";
    const request = isUnnamed ? { ...asked, id: `${7_000_000_000 + ++this.#chosenLeases}` } : asked;
    const step = stepAtomic(this.#state, request, (revision) => this.#states.get(revision));
    if (request.kind !== "range" && request.kind !== "leaseKeepAlive") this.#ground.push(request);
    if (step.answer === undefined) return { kind: "refused", error: step.error ?? "" };
    this.#keep(step.state, step.events);
    if (step.answer.kind === "lease" && step.answer.ttl > 0) {
      this.#arm(step.answer.id, atUs + step.answer.ttl * 1_000_000);
    }
    return { kind: "ok", revision: step.state.revision, answer: step.answer };
  }

  #keep(state: AtomicState, events: readonly WatchEvent[]): void {
    this.#state = state;
    this.#states.set(state.revision, state);
    this.#states.delete(state.revision - statesKeptMax);
    if (events.length > 0) this.#events[state.revision] = events;
  }

  #arm(lease: string, deadlineUs: number): void {
    this.#deadlines.set(lease, deadlineUs);
    this.#queue.add(deadlineUs, (atUs) => {
      const isDue = this.#deadlines.get(lease) === deadlineUs && this.#state.leases.has(lease);
      // No client looks after the last operation.
      if (isDue && this.#operations.length < this.#options.operations) {
        this.#commit({ kind: "leaseRevoke", id: lease }, atUs);
      }
    });
  }

  #learn(request: Request, outcome: Outcome): void {
    if (outcome.kind !== "ok") return;
    // Linearizable reads need not see what only a serializable read has seen.
    const isLocal = request.kind === "range" && request.serializable === true;
    if (!isLocal) this.#acknowledged = Math.max(this.#acknowledged, outcome.revision);
    if (outcome.answer.kind !== "lease" || outcome.answer.ttl === 0) return;
    if (this.#leases.includes(outcome.answer.id)) return;
    this.#leases.push(outcome.answer.id);
    if (this.#leases.length > leasesKnownMax) this.#leases.shift();
  }

  #watch(id: number, callUs: number): void {
    const watch = new GeneratedWatch({
      id,
      callUs,
      rng: this.#rng,
      keys: this.#options.keys,
      state: () => this.#state,
      eventsAt: (revision) => this.#events[revision] ?? [],
    });
    this.#watches.push(watch);
    const deliver = (atUs: number) => {
      const isLast = this.#operations.length >= this.#options.operations && this.#pending === 0;
      watch.deliver(atUs, isLast);
      if (!isLast) this.#queue.add(atUs + 1 + this.#rng.int(spanUsMax * 4), deliver);
    };
    this.#queue.add(callUs + this.#rng.int(spanUsMax), deliver);
  }
}
