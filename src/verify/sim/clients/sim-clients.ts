/**
 * The clients of a plan. Each sends its operations one after another through the services of some
 * member, keeps what it saw, and records everything as a history for the checkers.
 */
import { type ErrorReason, reasonOfText } from "../../../base/errors.js";
import type { Status } from "../../../grpc/call.js";
import { LeaseKeepAliveRequest, LeaseKeepAliveResponse } from "../../../wire/gen/rpc.js";
import type { Operation, OperationAnswer, OperationOutcome, Request } from "../../history/types.js";
import type { ClientAction, ClientOp, UserAction } from "../plan/plan.js";
import type { SimCluster } from "../sim-cluster.js";
import type { SimNode } from "../sim-node.js";
import { decodeAnswer, encodeRequest } from "./client-calls.js";
import { type ClientMemory, requestOf } from "./client-request.js";
import type {
  CallWatcher,
  ClientTransport,
  Credentials,
  SimCallResult,
} from "./client-transport.js";
import type { SimWatchers } from "./sim-watchers.js";

/** Refusals that promise that nothing has happened or will happen. */
const definite: ReadonlySet<ErrorReason | undefined> = new Set([
  "compacted",
  "futureRevision",
  "leaseNotFound",
  "leaseExists",
  "noSpace",
  "keyNotFound",
  "permissionDenied",
  "userEmpty",
  "authOldRevision",
  "invalidAuthToken",
]);
const patienceMs = 4_000;

/** A request that a user of the world makes. */
export type UserOp = ClientOp & { readonly action: UserAction };

/** Who sends a request, and who looks at its way through the member. */
export interface SimSender extends CallWatcher {
  readonly credentials?: Credentials;
}

interface Client {
  readonly memory: ClientMemory;
  readonly queue: ClientOp[];
  isBusy: boolean;
}

export class SimClients {
  readonly operations: Operation[] = [];
  readonly #cluster: SimCluster;
  readonly #transport: ClientTransport;
  readonly #watchers: SimWatchers;
  readonly #keys: number;
  /** Calls that have not ended, and functions that end them. */
  readonly #open = new Set<(outcome: OperationOutcome) => void>();
  readonly #clients: Client[];
  /** For checks: a request leaves, an outcome is known. */
  onAsked: (request: Request) => void = () => {};
  onAnswered: (operation: Operation) => void = () => {};
  /** UserClients makes the requests of users. */
  onUserAction: (op: UserOp, node: SimNode) => void = () => {};
  /** How many requests outside the plan were sent. */
  #asked = 0;
  /** Number of operations that have begun and not ended. */
  pending = 0;
  acknowledged = 0;

  constructor(
    parts: {
      readonly cluster: SimCluster;
      readonly transport: ClientTransport;
      readonly watchers: SimWatchers;
    },
    setting: { readonly clients: number; readonly keys: number },
  ) {
    this.#cluster = parts.cluster;
    this.#transport = parts.transport;
    this.#watchers = parts.watchers;
    this.#keys = setting.keys;
    this.#clients = Array.from({ length: setting.clients }, () => ({
      memory: { revision: 0, mods: new Map(), values: new Map() },
      queue: [],
      isBusy: false,
    }));
  }

  schedule(ops: readonly ClientOp[]): void {
    for (const op of ops) {
      const { action } = op;
      if (isUserAction(action)) {
        this.#cluster.clock.at(op.atMs, () => {
          const node = this.choose(op.member);
          if (node !== undefined) this.onUserAction({ ...op, action }, node);
        });
        continue;
      }
      this.#cluster.clock.at(op.atMs, () => {
        const client = this.#clients[op.client % this.#clients.length] as Client;
        client.queue.push(op);
        this.#next(client);
      });
    }
  }

  /** Drops operations that have not begun. */
  stop(): void {
    for (const client of this.#clients) client.queue.length = 0;
  }

  /** The run ends here: an unanswered operation may have happened or not. */
  abandon(): void {
    for (const finished of [...this.#open]) finished({ kind: "unknown", error: "the run ended" });
  }

  /** A request outside the plan, by a client of its own; `done` gets the recorded operation. */
  ask(
    node: SimNode,
    request: Request,
    done: (operation: Operation) => void,
    sender: SimSender = {},
  ): void {
    const memory = { revision: 0, mods: new Map(), values: new Map() };
    const asked = this.#asked++;
    const from = { id: 1_000_000 + asked, client: -1 - asked, node, memory, sender };
    this.#send(from, request, done);
  }

  #next(client: Client): void {
    if (client.isBusy) return;
    for (;;) {
      const op = client.queue.shift();
      if (op === undefined) return;
      const node = this.choose(op.member);
      // No node listens: the connection is refused, and nothing has happened.
      if (node === undefined) continue;
      const { action, id } = op;
      if (isUserAction(action)) continue;
      if (action.kind === "watch") {
        this.#watchers.open({ ...action, id, client: op.client, node }, client.memory.revision);
        continue;
      }
      client.isBusy = true;
      const request = requestOf({ ...op, action }, client.memory, this.#keys);
      const { memory } = client;
      this.#send({ id, client: op.client, node, memory }, request, () => {
        client.isBusy = false;
        this.#next(client);
      });
      return;
    }
  }

  /** Returns the wanted node, or the next one that listens. */
  choose(member: number): SimNode | undefined {
    const { nodes } = this.#cluster;
    for (let place = 0; place < nodes.length; place++) {
      const node = nodes[(member + place) % nodes.length] as SimNode;
      if (node.isServing()) return node;
    }
    return undefined;
  }

  #send(
    from: {
      readonly id: number;
      readonly client: number;
      readonly node: SimNode;
      readonly memory: ClientMemory;
      readonly sender?: SimSender;
    },
    request: Request,
    done: (operation: Operation) => void,
  ): void {
    const { clock } = this.#cluster;
    const callUs = clock.nowUs();
    this.pending++;
    this.onAsked(request);
    const finished = (outcome: OperationOutcome): void => {
      if (!this.#open.delete(finished)) return;
      this.pending--;
      const { id, client, node, memory } = from;
      const returnUs = outcome.kind === "unknown" ? undefined : clock.nowUs();
      const operation = { id, client, member: node.name, callUs, returnUs, request, outcome };
      this.operations.push(operation);
      this.onAnswered(operation);
      if (outcome.kind === "ok") {
        this.acknowledged++;
        remember(memory, operation, outcome);
      }
      done(operation);
    };
    this.#open.add(finished);
    if (request.kind === "leaseKeepAlive") {
      this.#keepAlive(from.node, request.id, finished);
      return;
    }
    if (request.kind === "other") throw new Error("not a client's request");
    const { path, bytes } = encodeRequest(request);
    const to = { ...from.sender, node: from.node, path, patienceMs };
    this.#transport.unary(to, bytes, (result) => {
      finished(outcomeOf(result, (answer) => decodeAnswer(request, answer)));
    });
  }

  #keepAlive(node: SimNode, id: string, finished: (outcome: OperationOutcome) => void): void {
    let isOver = false;
    const finish = (outcome: OperationOutcome): void => {
      if (isOver) return;
      isOver = true;
      timer.cancel();
      finished(outcome);
    };
    const stream = this.#transport.stream(
      { node, path: "/etcdserverpb.Lease/LeaseKeepAlive" },
      {
        message: (bytes) => {
          const { header, TTL } = LeaseKeepAliveResponse.decode(bytes);
          const answer = { kind: "lease", id, ttl: Number(TTL) } as const;
          finish({ kind: "ok", revision: Number(header?.revision ?? 0n), answer });
          stream.cancel();
        },
        ended: (status) => finish({ kind: "unknown", error: status?.message ?? "ended" }),
      },
    );
    const timer = this.#cluster.clock.at(patienceMs, () => {
      finish({ kind: "unknown", error: "context deadline exceeded" });
      stream.cancel();
    });
    stream.write(LeaseKeepAliveRequest.encode({ ID: BigInt(id) }).finish());
  }
}

const userKinds = new Set<string>(["userRead", "userWrite", "userWatch", "login", "manage"]);

function isUserAction(action: ClientAction): action is UserAction {
  return userKinds.has(action.kind);
}

function outcomeOf(
  result: SimCallResult,
  decode: (bytes: Uint8Array) => { readonly revision: number; readonly answer: OperationAnswer },
): OperationOutcome {
  if (result instanceof Uint8Array) return { kind: "ok", ...decode(result) };
  const error = (result as Status).message;
  return definite.has(reasonOfText(error))
    ? { kind: "refused", error }
    : { kind: "unknown", error };
}

function remember(
  memory: ClientMemory,
  operation: Operation,
  outcome: Extract<OperationOutcome, { readonly kind: "ok" }>,
): void {
  const { revision, answer } = outcome;
  memory.revision = Math.max(memory.revision, revision);
  const { request } = operation;
  if (answer.kind === "range") {
    for (const kv of answer.kvs) {
      memory.mods.set(kv.key, kv.mod);
      memory.values.set(kv.key, kv.value);
    }
  }
  if (request.kind === "put") {
    memory.mods.set(request.key, revision);
    memory.values.set(request.key, request.value);
  }
  if (answer.kind !== "txn" || request.kind !== "txn") return;
  for (const op of answer.succeeded ? request.success : request.failure) {
    if (op.kind === "put") memory.mods.set(op.key, revision);
  }
}
