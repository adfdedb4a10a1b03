/**
 * The network of a simulated cluster: every message gets its own delay, and may be lost or come
 * twice; links between members can be cut, each direction for itself. Whoever is not attached (a
 * crashed member) receives nothing.
 */
import type { ClusterInfo, Network, NetworkHandler } from "../../platform/network.js";
import type { Rng } from "../../platform/rng.js";
import type { SimClock } from "./sim-clock.js";

export interface NetworkFaults {
  lossPerMille: number;
  duplicatePerMille: number;
  delayMsMin: number;
  delayMsMax: number;
}

export class MemoryNetwork {
  readonly faults: NetworkFaults = {
    lossPerMille: 0,
    duplicatePerMille: 0,
    delayMsMin: 1,
    delayMsMax: 3,
  };
  readonly #clock: SimClock;
  readonly #rng: Rng;
  readonly #attached = new Map<bigint, Port>();
  readonly #byUrl = new Map<string, Port>();
  readonly #cut = new Set<string>();
  readonly #mayRepeat: (bytes: Uint8Array) => boolean;
  messages = 0;

  /** `mayRepeat` spares messages that the real network never repeats and that would be seen twice. */
  constructor(clock: SimClock, rng: Rng, mayRepeat: (bytes: Uint8Array) => boolean) {
    this.#mayRepeat = mayRepeat;
    this.#clock = clock;
    this.#rng = rng;
  }

  /** A member's port, reached at `peerUrl`; its id becomes known when it boots. */
  connect(peerUrl: string, handler: NetworkHandler): Network {
    const port = new Port(this, handler);
    this.#byUrl.set(peerUrl, port);
    return port;
  }

  cut(from: bigint, to: bigint): void {
    this.#cut.add(`${from}>${to}`);
  }

  heal(): void {
    this.#cut.clear();
  }

  attach(id: bigint, port: Port): void {
    this.#attached.set(id, port);
  }

  /** A crashed member neither hears nor answers. */
  silence(id: bigint): void {
    const port = this.#attached.get(id);
    if (port !== undefined) port.isOpen = false;
    this.#attached.delete(id);
  }

  detach(port: Port): void {
    for (const [id, attached] of this.#attached) if (attached === port) this.#attached.delete(id);
  }

  deliver(from: bigint, to: bigint, bytes: Uint8Array): void {
    this.messages++;
    if (this.#rng.int(1000) < this.faults.lossPerMille) return;
    this.#send(from, to, bytes);
    const isRepeated = this.#rng.int(1000) < this.faults.duplicatePerMille;
    if (isRepeated && this.#mayRepeat(bytes)) this.#send(from, to, bytes);
  }

  isReachable(from: bigint, to: bigint): boolean {
    return this.#attached.has(to) && !this.#cut.has(`${from}>${to}`);
  }

  /** The port listening at one of the URLs. */
  find(peerUrls: readonly string[]): Port | undefined {
    for (const url of peerUrls) {
      const port = this.#byUrl.get(url);
      if (port?.isOpen) return port;
    }
    return undefined;
  }

  now(): number {
    return this.#clock.now();
  }

  later(fn: () => void): void {
    this.#clock.at(this.faults.delayMsMin, fn);
  }

  #send(from: bigint, to: bigint, bytes: Uint8Array): void {
    const { delayMsMin, delayMsMax } = this.faults;
    const delayMs = delayMsMin + this.#rng.int(delayMsMax - delayMsMin + 1);
    this.#clock.at(delayMs, () => {
      const port = this.#attached.get(to);
      if (port === undefined || this.#cut.has(`${from}>${to}`)) return;
      port.handler.received(from, bytes);
    });
  }
}

class Port implements Network {
  readonly handler: NetworkHandler;
  isOpen = true;
  readonly #network: MemoryNetwork;
  readonly #peers = new Map<bigint, number>();

  constructor(network: MemoryNetwork, handler: NetworkHandler) {
    this.#network = network;
    this.handler = handler;
  }

  send(to: bigint, message: Uint8Array): void {
    if (!this.isOpen) return;
    if (this.#peers.has(to)) this.#network.deliver(this.handler.memberId(), to, message);
    else this.handler.unreachable(to);
  }

  setPeer(id: bigint): void {
    this.#peers.set(id, this.#network.now());
    this.#network.attach(this.handler.memberId(), this);
  }

  removePeer(id: bigint): void {
    this.#peers.delete(id);
  }

  activeSince(id: bigint): number | undefined {
    const isActive = this.#network.isReachable(this.handler.memberId(), id);
    return isActive ? this.#peers.get(id) : undefined;
  }

  fetchCluster(peerUrls: readonly string[], done: (result: ClusterInfo | Error) => void): void {
    this.#network.later(() => {
      const info = this.#network.find(peerUrls)?.handler.clusterInfo();
      if (this.isOpen) done(info ?? new Error("nobody answers"));
    });
  }

  close(): void {
    this.isOpen = false;
    this.#network.detach(this);
  }
}
