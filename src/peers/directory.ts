/**
 * Asks known members for the address of another one. A stranger can trigger these questions at any
 * rate. So all open questions share one round, and there is a pause between rounds.
 */
import { invariant } from "../base/invariant.js";
import type { ClusterInfo, Network } from "../platform/network.js";
import type { Platform } from "../platform/platform.js";

const roundEveryMs = 200;
const waitingMax = 64;

type Done = (urls: readonly string[] | undefined) => void;

export class PeerDirectory {
  readonly #world: { readonly platform: Platform; readonly network: Network };
  readonly #clusterId: bigint;
  #waiting: { readonly id: bigint; readonly done: Done }[] = [];
  #isAsking = false;
  #nextMs = 0;

  constructor(
    world: { readonly platform: Platform; readonly network: Network },
    clusterId: bigint,
  ) {
    this.#world = world;
    this.#clusterId = clusterId;
  }

  /**
   * `sources` has the peer URLs of each member to ask, separated by commas. Calls `done` once,
   * later, with the peer URLs of `id`; undefined: nobody knows it.
   */
  find(id: bigint, sources: readonly string[], done: Done): void {
    if (this.#waiting.length >= waitingMax) this.#waiting.shift()?.done(undefined);
    this.#waiting.push({ id, done });
    if (this.#isAsking) return;
    this.#isAsking = true;
    const { clock } = this.#world.platform;
    const delayMs = Math.max(0, this.#nextMs - clock.now());
    clock.after(delayMs, () => this.#ask(sources));
  }

  #ask(sources: readonly string[]): void {
    const { network, platform } = this.#world;
    let open = sources.length;
    const over = (): void => {
      invariant(this.#isAsking, "a round of questions ends twice");
      this.#isAsking = false;
      this.#nextMs = platform.clock.now() + roundEveryMs;
      const left = this.#waiting;
      this.#waiting = [];
      for (const { done } of left) done(undefined);
    };
    if (open === 0) over();
    for (const source of sources) {
      network.fetchCluster(source.split(","), (info) => {
        if (!(info instanceof Error) && info.clusterId === this.#clusterId) this.#told(info);
        if (--open === 0) over();
      });
    }
  }

  #told(info: ClusterInfo): void {
    for (const { id, peerUrls } of info.members) {
      if (peerUrls.length === 0) continue;
      const [mine, others] = [
        this.#waiting.filter((waiting) => waiting.id === id),
        this.#waiting.filter((waiting) => waiting.id !== id),
      ];
      this.#waiting = others;
      for (const { done } of mine) done(peerUrls);
    }
  }
}
