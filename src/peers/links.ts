/**
 * Keeps the connections as the replicated member list says. Two cases need more than this list. A
 * member that has just joined has no list: it asks the members at the addresses in its
 * configuration. A member that lags may be dialled by a member whose addition or move it has not
 * applied, perhaps the leader or a candidate. It asks the members that it knows for the caller's
 * address, and answers there.
 */

import type { Network } from "../platform/network.js";
import type { Platform } from "../platform/platform.js";
import type { ClusterReader, MemberRecord } from "../state/types.js";
import { PeerDirectory } from "./directory.js";

const learnRetryMs = 500;

/** What the links need of the member: its ports, its name, and the members it was started with. */
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
  /** Addresses that known members gave for other members. They replace the recorded ones. */
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

  /** Call when the member list may have changed. */
  sync(): void {
    const members = this.#cluster().members();
    if (members.length === 0) this.#learn();
    else this.#connect(members);
  }

  close(): void {
    this.#isClosed = true;
  }

  /** Returns true if this id is in the member list or was confirmed by a member. */
  knows(id: bigint): boolean {
    return this.#urls.has(id);
  }

  /** The ids of all peers, without this member. */
  ids(): readonly bigint[] {
    return [...this.#urls.keys()];
  }

  /** Undefined: this member does not know the id. */
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
    // The members of the configuration are asked, too: all members that this one knows may be gone.
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
      // The replicated state has a newer address now.
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
