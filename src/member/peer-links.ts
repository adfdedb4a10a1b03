/**
 * Connections follow the replicated member list. A member that has just joined holds no state that
 * would name its peers: it asks them, at the addresses it was started with. And one that lags may
 * hear from a member whose addition it has not applied, perhaps its leader or a candidate by now,
 * and could not answer: who leads, or has no leader, tells all others its own addresses.
 */
import type { Network } from "../platform/network.js";
import type { Platform } from "../platform/platform.js";
import type { ClusterReader, MemberRecord } from "../state/types.js";
import type { MemberConfig } from "./config.js";
import { PeerMethod } from "./peer-codec.js";
import type { Peers } from "./peers.js";

const learnRetryMs = 500;
/** Far more than any member's addresses. */
const introductionBytesMax = 4_096;

export class PeerLinks {
  readonly #world: {
    readonly platform: Platform;
    readonly network: Network;
    readonly config: MemberConfig;
  };
  readonly #selfId: bigint;
  readonly #cluster: () => ClusterReader;
  readonly #peers: Peers;
  #urls = new Map<bigint, string>();
  /** Members that told us their addresses before we knew them. */
  readonly #strangers = new Map<bigint, string>();
  #tellMs = 0;
  #isClosed = false;

  constructor(
    world: {
      readonly platform: Platform;
      readonly network: Network;
      readonly config: MemberConfig;
    },
    selfId: bigint,
    parts: {
      cluster(): ClusterReader;
      readonly peers: Peers;
    },
  ) {
    this.#world = world;
    this.#selfId = selfId;
    this.#cluster = () => parts.cluster();
    this.#peers = parts.peers;
    this.#peers.serve(PeerMethod.introduce, (from, body, done) => {
      this.#introduced(from, body);
      done(new Uint8Array(0));
    });
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

  /** Once in an election timeout, at a member that leads or has no leader. */
  introduce(nowMs: number): void {
    if (nowMs < this.#tellMs) return;
    const { network, config } = this.#world;
    const timeoutMs = config.electionMs;
    this.#tellMs = nowMs + timeoutMs;
    const urls = new TextEncoder().encode(config.advertisePeerUrls.join(","));
    for (const to of this.#urls.keys()) {
      const target = { to, method: PeerMethod.introduce, timeoutMs };
      this.#peers.request(network, target, urls, () => {});
    }
  }

  /** A member of our cluster says where it can be answered. */
  #introduced(from: bigint, body: Uint8Array): void {
    if (this.#urls.has(from) || this.#isClosed || this.#cluster().isRemoved(from)) return;
    const urls = new TextDecoder().decode(body);
    if (body.length > introductionBytesMax || !urls.split(",").every((url) => URL.canParse(url)))
      return;
    this.#strangers.set(from, urls);
    this.sync();
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
