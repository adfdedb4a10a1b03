/**
 * Connections follow the replicated member list. A member that has just joined holds no state that
 * would name its peers: it asks them, at the addresses it was started with. And one that lags may
 * hear from a member whose addition it has not applied, perhaps its leader by now: it asks the
 * members it knows where that one can be answered, or it would never catch up.
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
  /** Members that others told us of. */
  readonly #strangers = new Map<bigint, string>();
  #isAsking = false;
  #asked = 0;
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

  /** A message came from this member; cheap if it is known. */
  heard(from: bigint): void {
    if (this.#urls.has(from) || this.#isAsking || this.#isClosed) return;
    const known = this.#cluster()
      .members()
      .filter(({ id }) => id !== this.#selfId);
    // One after another: some may lag as we do.
    const asked = known[this.#asked++ % Math.max(1, known.length)];
    if (asked === undefined) return;
    this.#isAsking = true;
    this.#world.network.fetchCluster(asked.peerUrls, (info) => {
      this.#isAsking = false;
      if (info instanceof Error || info.clusterId !== this.#cluster().clusterId) return;
      const stranger = info.members.find(({ id }) => id === from);
      if (stranger === undefined || this.#isClosed || this.#cluster().isRemoved(from)) return;
      this.#strangers.set(from, stranger.peerUrls.join(","));
      this.sync();
    });
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
    const cluster = this.#cluster();
    for (const [id, urls] of this.#strangers) {
      if (cluster.isRemoved(id)) this.#strangers.delete(id);
      else wanted.set(id, urls);
    }
    for (const { id, peerUrls } of members) {
      this.#strangers.delete(id);
      if (id !== this.#selfId) wanted.set(id, peerUrls.join(","));
    }
    for (const id of this.#urls.keys()) if (!wanted.has(id)) network.removePeer(id);
    for (const [id, urls] of wanted) {
      if (this.#urls.get(id) !== urls) network.setPeer(id, urls.split(","));
    }
    this.#urls = wanted;
  }
}
