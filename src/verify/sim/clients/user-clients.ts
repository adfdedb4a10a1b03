/**
 * The users of a world, and root, who creates them, switches auth on, and changes users, roles and
 * rights all the time. Users read, write and watch with tokens, old tokens, certificates or nothing.
 * What a member tells each of them goes to the checks, with the member's applied index.
 */
import { AuthenticateRequest, AuthenticateResponse, WatchResponse } from "../../../wire/gen/rpc.js";
import { plainAnswers } from "../../history/txn-ops.js";
import type { Operation, Request } from "../../history/types.js";
import { usersOfWorld } from "../plan/action-kinds.js";
import type { Proof, UserAction } from "../plan/plan.js";
import type { SimCluster } from "../sim-cluster.js";
import type { SimNode } from "../sim-node.js";
import { decodeAnswer, textOf } from "./client-calls.js";
import { keyName } from "./client-request.js";
import type { ClientTransport, Credentials } from "./client-transport.js";
import { type AuthCall, authService, foundingCalls, manageCalls } from "./manage-calls.js";
import type { SimClients, UserOp } from "./sim-clients.js";
import { rangeOf } from "./user-ranges.js";
import { watchCreateRequest } from "./watch-calls.js";

/** The user to whom a member showed something. */
export interface UserClaim {
  /** Undefined: the call brought nothing. */
  readonly user: string | undefined;
  /** The index of the entry that made the token; undefined: the user came by a certificate. */
  readonly loginIndex?: number;
  /** A watch: its token was looked at when it began. */
  readonly isWatch?: boolean;
}

/** Keys that a member showed to a caller. */
export interface ShownToUser {
  readonly claim: UserClaim;
  readonly keys: readonly string[];
  /** The member's applied index when the call came, and when it was answered. */
  readonly fromIndex: number;
  readonly toIndex: number;
}

interface Token {
  readonly text: string;
  readonly index: number;
}

const setupMs = 300;
const retryMs = 300;
const patienceMs = 4_000;
const triesMax = 3;

/** The name of a user of the plan, from 0 on. */
export function userName(user: number): string {
  return `u${user}`;
}

export interface UserClientsParts {
  readonly cluster: SimCluster;
  readonly transport: ClientTransport;
  readonly clients: SimClients;
}

export class UserClients {
  readonly #cluster: SimCluster;
  readonly #transport: ClientTransport;
  readonly #clients: SimClients;
  /**
   * The tokens of each user, the newest last. They stay after they have ended: a member must refuse
   * them.
   */
  readonly #tokens: readonly Token[][] = Array.from({ length: usersOfWorld }, () => []);
  readonly #onShown: (node: SimNode, shown: ShownToUser) => void;
  #isFounded = false;

  /** `onShown` hears of each answer and event with keys, inside the event that sends it. */
  constructor(
    { cluster, transport, clients }: UserClientsParts,
    onShown: (node: SimNode, shown: ShownToUser) => void,
  ) {
    this.#cluster = cluster;
    this.#transport = transport;
    this.#clients = clients;
    this.#onShown = onShown;
    clients.onUserAction = (op, node) => this.#act(op, node);
  }

  /** Makes the users and switches auth on, as soon as a member answers. */
  found(): void {
    this.#cluster.clock.at(setupMs, () =>
      this.#callAll(foundingCalls(), Number.POSITIVE_INFINITY, () => {
        this.#isFounded = true;
        for (let user = 0; user < usersOfWorld; user++) this.#login(user, this.#clients.choose(0));
      }),
    );
  }

  #act({ action, id, member }: UserOp, node: SimNode): void {
    if (!this.#isFounded) return;
    switch (action.kind) {
      case "userRead":
      case "userWrite": {
        this.#ask(action, node, requestOf(action, id));
        return;
      }
      case "userWatch":
        this.#watch(action, node);
        return;
      case "login":
        this.#login(action.user, node);
        return;
      case "manage":
        this.#callAll(manageCalls(action, member), triesMax, () => {});
    }
  }

  #ask(
    action: Extract<UserAction, { readonly by: Proof }>,
    node: SimNode,
    request: Exclude<Request, { readonly kind: "leaseKeepAlive" | "other" }>,
  ): void {
    const { claim, credentials } = this.#prove(action.user, action.by);
    let fromIndex = 0;
    const sender = {
      credentials,
      began: () => {
        fromIndex = appliedIndex(node);
      },
      told: (message: Uint8Array) => {
        const { answer } = decodeAnswer(request, message);
        const answers = answer.kind === "txn" ? plainAnswers(answer.answers) : [answer];
        const keys = answers.flatMap((one) => (one.kind === "range" ? one.kvs : []));
        this.#show(node, claim, { fromIndex, keys: keys.map(({ key }) => key) });
      },
    };
    this.#clients.ask(node, request, (operation) => this.#again(action.user, operation), sender);
  }

  /** Logs in again when the token is no longer good, as etcd's client does. */
  #again(user: number, { outcome, member }: Operation): void {
    if (outcome.kind !== "refused" || !outcome.error.endsWith("invalid auth token")) return;
    this.#login(
      user,
      this.#cluster.nodes.find(({ name }) => name === member),
    );
  }

  #watch(action: Extract<UserAction, { readonly kind: "userWatch" }>, node: SimNode): void {
    const { claim, credentials } = this.#prove(action.user, "token");
    const told = (message: Uint8Array): void => {
      const { events } = WatchResponse.decode(message);
      const keys = events.map(({ kv }) => textOf(kv?.key ?? new Uint8Array(0)));
      const fromIndex = appliedIndex(node);
      this.#show(node, { ...claim, isWatch: true }, { fromIndex, keys });
    };
    const path = "/etcdserverpb.Watch/Watch";
    const events = { message: () => {}, ended: () => {} };
    const stream = this.#transport.stream({ node, path, credentials, told }, events);
    const range = rangeOf(action.key, action.span);
    stream.write(watchCreateRequest({ ...noWatch, range }));
    this.#cluster.clock.at(action.forMs, () => stream.cancel());
  }

  #login(user: number, node: SimNode | undefined): void {
    if (node === undefined) return;
    const name = userName(user);
    const body = AuthenticateRequest.encode({ name, password: name }).finish();
    const to = { node, path: `${authService}Authenticate`, patienceMs, credentials: {} };
    this.#transport.unary(to, body, (result) => {
      if (!(result instanceof Uint8Array)) return;
      const text = AuthenticateResponse.decode(result).token;
      const index = Number(text.slice(text.lastIndexOf(".") + 1));
      this.#tokens[user]?.push({ text, index });
    });
  }

  #prove(
    user: number,
    by: Proof,
  ): { readonly claim: UserClaim; readonly credentials: Credentials } {
    const tokens = this.#tokens[user] as Token[];
    const token = by === "oldToken" ? tokens[0] : tokens.at(-1);
    const name = userName(user);
    if (by === "certificate") return { claim: { user: name }, credentials: { commonName: name } };
    if (by === "nothing" || token === undefined)
      return { claim: { user: undefined }, credentials: {} };
    const claim = { user: name, loginIndex: token.index };
    return { claim, credentials: { token: token.text } };
  }

  #show(
    node: SimNode,
    claim: UserClaim,
    { fromIndex, keys }: { readonly fromIndex: number; readonly keys: readonly string[] },
  ): void {
    // No member can know yet that this state is wrong, and clients do not get the answer.
    if (keys.length === 0 || node.isWrong) return;
    this.#onShown(node, { claim, keys, fromIndex, toIndex: appliedIndex(node) });
  }

  /** One after the other; a call without an answer is made again, at another member. */
  #callAll(calls: readonly AuthCall[], triesLeft: number, done: () => void): void {
    const [call, ...others] = calls;
    if (call === undefined) {
      done();
      return;
    }
    const again = (): void => {
      if (triesLeft <= 1) return;
      this.#cluster.clock.at(retryMs, () => this.#callAll(calls, triesLeft - 1, done));
    };
    const node = this.#clients.choose(Math.floor(this.#cluster.clock.now()));
    if (node === undefined) {
      again();
      return;
    }
    const to = { node, path: authService + call.method, patienceMs };
    this.#transport.unary(to, call.body, (result) => {
      const isDone = result instanceof Uint8Array || call.isDone(result.message);
      if (isDone) this.#callAll(others, triesLeft, done);
      else again();
    });
  }
}

const noWatch = {
  ...{ id: 0, client: 0, member: "", callUs: 0, revision: 0 },
  ...{ prevKv: true, progressNotify: false, filters: [] },
} as const;

function requestOf(
  action: Extract<UserAction, { readonly by: Proof }>,
  id: number,
): Exclude<Request, { readonly kind: "leaseKeepAlive" | "other" }> {
  const key = keyName(action.key);
  if (action.kind === "userRead") {
    const { serializable } = action;
    return { kind: "range", ...rangeOf(action.key, action.span), serializable };
  }
  const put = { kind: "put", key, value: `v${id}` } as const;
  if (action.what === "put") return put;
  if (action.what === "delete") return { kind: "delete", key };
  return {
    kind: "txn",
    compares: [{ key, target: "version", result: "<", value: 1 + (id % 5) }],
    success: [put, { kind: "range", key }],
    failure: [{ kind: "range", key }],
  };
}

function appliedIndex(node: SimNode): number {
  return node.member?.machine.appliedIndex ?? 0;
}
