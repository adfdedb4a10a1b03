/**
 * Connections follow the replicated member list. A member that has just joined holds no state that
 * would name its peers: it asks them, at the addresses it was started with. And one that lags may be
 * dialled by a member whose addition or move it has not applied, perhaps its leader or a candidate by
 * now: it asks the members that it knows where that one is reached, and answers it there.
 */

import type { Network } from "../platform/network.js";
import type { Platform } from "../platform/platform.js";
import type { ClusterReader, MemberRecord } from "../state/types.js";
import { PeerDirectory } from "./directory.js";

const learnRetryMs = 500;

export interface PeerLinksWorld {
  readonly platform: Platform;
  readonly network: Network;
  readonly config: {
    readonly name: string;
    readonly initialCluster: readonly {
      readonly name: string;
      readonly peerUrls: readonly string[];
    }[];
  };
}

export class PeerLinks {
  readonly #world: PeerLinksWorld;
  readonly #selfId: bigint;
  readonly #cluster: () => ClusterReader;
  readonly #directory: PeerDirectory;
  #urls = new Map<bigint, string>();
  /** What members that we know say of others, in place of what our own state says. */
  readonly #located = new Map<bigint, { readonly urls: string; readonly insteadOf: string }>();
  #isClosed = false;

  constructor(
    world: PeerLinksWorld,
    self: { readonly memberId: bigint; readonly clusterId: bigint },
    cluster: () => ClusterReader,
  ) {
    this.#world = world;
    this.#selfId = self.memberId;
    this.#cluster = cluster;
    this.#directory = new PeerDirectory(world, self.clusterId);
  }

  /** The member list may have changed. */
  sync(): void {
    const members = this.#cluster().members();
    if (members.length === 0) this.#learn();
    else this.#connect(members);
  }

  close(): void {
    this.#isClosed = true;
  }

  /** Whether this is a member, as far as we know, or was confirmed by one that is. */
  knows(id: bigint): boolean {
    return this.#urls.has(id);
  }

  ids(): readonly bigint[] {
    return [...this.#urls.keys()];
  }

  urlsOf(id: bigint): readonly string[] | undefined {
    return this.#urls.get(id)?.split(",");
  }

  /** See NetworkHandler. */
  locate(id: bigint, done: (urls: readonly string[] | undefined) => void): void {
    if (this.#isClosed || this.#cluster().isRemoved(id)) {
      done(undefined);
      return;
    }
    const { config } = this.#world;
    // Those that we were started with are asked, too: all that we know may be gone by now.
    const started = config.initialCluster
      .filter((member) => member.name !== config.name)
      .map((member) => member.peerUrls.join(","));
    const known = [...this.#urls].filter(([other]) => other !== id).map(([, urls]) => urls);
    this.#directory.find(id, [...new Set([...known, ...started])], done);
  }

  /** See NetworkHandler. */
  located(id: bigint, urls: readonly string[]): void {
    if (this.#isClosed || id === this.#selfId || this.#cluster().isRemoved(id)) return;
    this.#located.set(id, { urls: urls.join(","), insteadOf: this.#recorded(id) });
    if (this.#cluster().members().length > 0) this.sync();
    else
      this.#connect(
        [...this.#urls].map(([other, text]) => ({ id: other, peerUrls: text.split(",") })),
      );
  }

  #recorded(id: bigint): string {
    return this.#cluster().member(id)?.peerUrls.join(",") ?? "";
  }

  #learn(): void {
    const { network, config, platform } = this.#world;
    if (this.#isClosed || this.#cluster().members().length > 0) return;
    const others = config.initialCluster.filter((member) => member.name !== config.name);
    network.fetchCluster(
      others.flatMap((member) => member.peerUrls),
      (info) => {
        if (this.#isClosed || this.#cluster().members().length > 0) return;
        if (info instanceof Error) platform.clock.after(learnRetryMs, () => this.#learn());
        else this.#connect(info.members.filter(({ peerUrls }) => peerUrls.length > 0));
      },
    );
  }

  #connect(members: readonly Pick<MemberRecord, "id" | "peerUrls">[]): void {
    const { network } = this.#world;
    const wanted = new Map<bigint, string>();
    const cluster = this.#cluster();
    for (const { id, peerUrls } of members) {
      if (id !== this.#selfId) wanted.set(id, peerUrls.join(","));
    }
    for (const [id, { urls, insteadOf }] of this.#located) {
      // Our own state has something newer to say.
      const isOver = cluster.isRemoved(id) || this.#recorded(id) !== insteadOf;
      if (isOver) this.#located.delete(id);
      else wanted.set(id, urls);
    }
    for (const id of this.#urls.keys()) if (!wanted.has(id)) network.removePeer(id);
    for (const [id, urls] of wanted) {
      if (this.#urls.get(id) !== urls) network.setPeer(id, urls.split(","));
    }
    this.#urls = wanted;
  }
}
