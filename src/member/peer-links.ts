/**
 * Connections follow the replicated member list. A member that has just joined holds no state that
 * would name its peers: it asks them, at the addresses it was started with.
 */
import type { Network } from "../platform/network.js";
import type { Platform } from "../platform/platform.js";
import type { ClusterReader, MemberRecord } from "../state/types.js";
import type { MemberConfig } from "./config.js";

const learnRetryMs = 500;

export class PeerLinks {
  readonly #world: {
    readonly platform: Platform;
    readonly network: Network;
    readonly config: MemberConfig;
  };
  readonly #selfId: bigint;
  readonly #cluster: () => ClusterReader;
  #urls = new Map<bigint, string>();
  #isClosed = false;

  constructor(
    world: {
      readonly platform: Platform;
      readonly network: Network;
      readonly config: MemberConfig;
    },
    selfId: bigint,
    cluster: () => ClusterReader,
  ) {
    this.#world = world;
    this.#selfId = selfId;
    this.#cluster = cluster;
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

  #learn(): void {
    const { network, config, platform } = this.#world;
    if (this.#isClosed || this.#cluster().members().length > 0) return;
    const others = config.initialCluster.filter((member) => member.name !== config.name);
    network.fetchCluster(
      others.flatMap((member) => member.peerUrls),
      (info) => {
        if (this.#isClosed || this.#cluster().members().length > 0) return;
        if (info instanceof Error) platform.clock.after(learnRetryMs, () => this.#learn());
        else this.#connect(info.members);
      },
    );
  }

  #connect(members: readonly Pick<MemberRecord, "id" | "peerUrls">[]): void {
    const { network } = this.#world;
    const wanted = new Map<bigint, string>();
    for (const { id, peerUrls } of members) {
      if (id !== this.#selfId) wanted.set(id, peerUrls.join(","));
    }
    for (const id of this.#urls.keys()) if (!wanted.has(id)) network.removePeer(id);
    for (const [id, urls] of wanted) {
      if (this.#urls.get(id) !== urls) network.setPeer(id, urls.split(","));
    }
    this.#urls = wanted;
  }
}
