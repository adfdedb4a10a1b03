/**
 * Watching clients. Each opens a watch and continues at another member when its stream breaks or
 * the history is gone (like etcd's client library: from the last revision it has seen). It records
 * every answer for the watch rules.
 */
import { WatchResponse } from "../../../wire/gen/rpc.js";
import type { WatchResponse as Seen, Watch } from "../../history/types.js";
import type { ClientAction } from "../plan/plan.js";
import type { SimCluster } from "../sim-cluster.js";
import type { SimNode } from "../sim-node.js";
import { keyName } from "./client-request.js";
import type { ClientTransport, SimStream } from "./client-transport.js";
import { eventOf, watchCreateRequest, watchProgressRequest } from "./watch-calls.js";

type WatchAction = Extract<ClientAction, { readonly kind: "watch" }>;

/** What a watcher asked for. It stays the same over all the streams that serve the watcher. */
interface Wish extends WatchAction {
  readonly id: number;
  readonly client: number;
  readonly endUs: number;
  hasStalled: boolean;
  /** Where the next stream begins; 0: now. */
  nextRevision: number;
}

interface OpenWatch extends Watch {
  readonly responses: Seen[];
}

const resumeMs = 50;
const progressMs = 700;

export class SimWatchers {
  readonly watches: OpenWatch[] = [];
  readonly #cluster: SimCluster;
  readonly #transport: ClientTransport;
  readonly #live = new Map<Wish, { readonly stream: SimStream; readonly watch: OpenWatch }>();

  constructor(cluster: SimCluster, transport: ClientTransport) {
    this.#cluster = cluster;
    this.#transport = transport;
  }

  open(
    action: WatchAction & { readonly id: number; readonly client: number; readonly node: SimNode },
    seenRevision: number,
  ): void {
    const { clock } = this.#cluster;
    const { back } = action;
    const wish: Wish = {
      ...action,
      endUs: clock.nowUs() + action.forMs * 1000,
      hasStalled: false,
      nextRevision: back === 0 ? 0 : Math.max(1, seenRevision - back),
    };
    this.#connect(wish, action.node);
  }

  /**
   * For each living watch, the revision up to which it has seen everything: for the end of a run.
   */
  lags(): readonly { readonly watch: Watch; readonly seen: number }[] {
    return [...this.#live.values()].map(({ watch }) => ({ watch, seen: lastRevision(watch) }));
  }

  /** Asks every living watch for its progress. */
  requestProgress(): void {
    for (const { stream } of this.#live.values()) stream.write(watchProgressRequest);
  }

  #connect(wish: Wish, node: SimNode): void {
    const { clock } = this.#cluster;
    const watch: OpenWatch = {
      id: this.watches.length + 1,
      client: wish.client,
      member: node.name,
      callUs: clock.nowUs(),
      range: wish.key < 0 ? { key: "ka", end: "l" } : { key: keyName(wish.key) },
      revision: wish.nextRevision,
      prevKv: wish.prevKv,
      progressNotify: wish.id % 2 === 0,
      filters: wish.filter === "none" ? [] : [wish.filter],
      responses: [],
    };
    this.watches.push(watch);
    const stream = this.#transport.stream(
      { node, path: "/etcdserverpb.Watch/Watch" },
      {
        message: (bytes) => this.#received(wish, watch, WatchResponse.decode(bytes)),
        ended: () => this.#resume(wish),
      },
    );
    this.#live.set(wish, { stream, watch });
    stream.write(watchCreateRequest(watch));
    this.#ask(wish, stream);
    this.#stall(wish, stream);
  }

  #received(wish: Wish, watch: OpenWatch, response: WatchResponse): void {
    const revision = Number(response.header?.revision ?? 0n);
    const events = response.events.map(eventOf);
    const seen: Seen = {
      atUs: this.#cluster.clock.nowUs(),
      revision,
      events,
      ...(response.created ? { created: true } : {}),
      ...(response.canceled ? { canceled: true } : {}),
      ...(response.compact_revision > 0n
        ? { compactRevision: Number(response.compact_revision) }
        : {}),
      ...(response.fragment ? { fragment: true } : {}),
    };
    watch.responses.push(seen);
    const last = events.at(-1);
    if (last !== undefined) wish.nextRevision = last.mod + 1;
    else if (!response.created && !response.canceled && revision >= wish.nextRevision) {
      // A progress notification: everything up to here was seen.
      wish.nextRevision = Math.max(wish.nextRevision, revision + 1);
    }
    if (!response.canceled) return;
    if (response.compact_revision > 0n) wish.nextRevision = Number(response.compact_revision);
    this.#live.get(wish)?.stream.cancel();
    this.#resume(wish);
  }

  /** etcd's client continues where it was; a watch from "now" that saw nothing begins again. */
  #resume(wish: Wish): void {
    this.#live.delete(wish);
    const { clock, nodes } = this.#cluster;
    clock.at(resumeMs, () => {
      if (clock.nowUs() > wish.endUs) return;
      const serving = nodes.filter((node) => node.isServing());
      const node = serving[wish.id % Math.max(1, serving.length)];
      if (node === undefined) this.#resume(wish);
      else this.#connect(wish, node);
    });
  }

  #ask(wish: Wish, stream: SimStream): void {
    this.#cluster.clock.at(progressMs, () => {
      if (this.#live.get(wish)?.stream !== stream) return;
      if (this.#cluster.clock.nowUs() > wish.endUs) {
        this.#live.delete(wish);
        stream.cancel();
        return;
      }
      stream.write(watchProgressRequest);
      this.#ask(wish, stream);
    });
  }

  #stall(wish: Wish, stream: SimStream): void {
    if (wish.stallMs === 0 || wish.hasStalled) return;
    wish.hasStalled = true;
    const { clock } = this.#cluster;
    clock.at(300, () => {
      stream.setReading(false);
      clock.at(wish.stallMs, () => stream.setReading(true));
    });
  }
}

function lastRevision(watch: Watch): number {
  return watch.responses.reduce((max, { revision }) => Math.max(max, revision), 0);
}
