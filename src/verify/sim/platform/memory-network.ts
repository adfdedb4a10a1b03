/**
 * The network of a simulated cluster. Every message has its own delay, and may be lost, come twice
 * or overtake another. Rules cut, slow or thin out single directions of single links. The treatment
 * of a message depends only on its link and its number on that link (see dice.ts).
 */
import { decodeEnvelope } from "../../../peers/codec.js";
import type { ClusterInfo, Network, NetworkHandler } from "../../../platform/network.js";
import { decodeMessage } from "../../../raft/codec/message-codec.js";
import type { Dice } from "../plan/dice.js";
import type { SimClock } from "./sim-clock.js";

/** The normal behaviour of the network; it is drawn for each plan. */
export interface NetworkWeather {
  readonly delayMinUs: number;
  readonly delayMaxUs: number;
  readonly lossPerMille: number;
  readonly duplicatePerMille: number;
  /** No message overtakes another of the same link. */
  readonly isOrdered: boolean;
  /** The time until both ends know that a link is cut. */
  readonly noticeMs: number;
}

/** A network that delays messages a little and loses none. */
export const fairWeather: NetworkWeather = {
  delayMinUs: 300,
  delayMaxUs: 1_000,
  lossPerMille: 0,
  duplicatePerMille: 0,
  isOrdered: true,
  noticeMs: 500,
};

/** Applies to messages from one of `from` to one of `to` (places of nodes) until it is removed. */
export interface LinkRule {
  readonly from: ReadonlySet<number>;
  readonly to: ReadonlySet<number>;
  /** 1000 cuts the link. */
  readonly lossPerMille: number;
  readonly extraUs: number;
}

export interface NetworkWatcher {
  sent(from: number, to: bigint, bytes: Uint8Array): number;
  delivered(to: number, message: number): void;
  dropped(to: number, message: number): void;
}

interface ActiveRule extends LinkRule {
  readonly sinceUs: number;
}

export interface PortOptions {
  readonly owner: number;
  readonly peerUrl: string;
  /** The clock of the node itself. */
  nowMs(): number;
  isAlive(): boolean;
}

export class MemoryNetwork {
  readonly #clock: SimClock;
  readonly #dice: Dice;
  readonly #weather: NetworkWeather;
  readonly #watcher: NetworkWatcher;
  readonly #attached = new Map<bigint, Port>();
  readonly #byUrl = new Map<string, Port>();
  readonly #rules = new Set<ActiveRule>();
  /** By link (from * 64 + to): how many messages it carried, and when the last one arrives. */
  readonly #links = new Map<number, { count: number; lastUs: number }>();
  isCalm = false;
  messages = 0;

  constructor(
    parts: {
      readonly clock: SimClock;
      readonly dice: Dice;
      readonly watcher: NetworkWatcher;
    },
    weather: NetworkWeather,
  ) {
    this.#clock = parts.clock;
    this.#dice = parts.dice;
    this.#watcher = parts.watcher;
    this.#weather = weather;
  }

  /** A node's port, reached at its peer URL; its member id becomes known when the node boots. */
  connect(options: PortOptions, handler: NetworkHandler): Network {
    const port = new Port(this, handler, options);
    this.#byUrl.set(options.peerUrl, port);
    return port;
  }

  addRule(rule: LinkRule): () => void {
    const active = { ...rule, sinceUs: this.#clock.nowUs() };
    this.#rules.add(active);
    return () => {
      this.#rules.delete(active);
    };
  }

  /** Ends all rules, losses and repetitions. */
  calm(): void {
    this.#rules.clear();
    this.isCalm = true;
  }

  attach(id: bigint, port: Port): void {
    this.#attached.set(id, port);
  }

  detach(port: Port): void {
    for (const [id, attached] of this.#attached) if (attached === port) this.#attached.delete(id);
  }

  /** A dead node neither hears nor answers. */
  silence(owner: number): void {
    for (const port of this.#byUrl.values()) if (port.owner === owner) port.isOpen = false;
    for (const [id, port] of this.#attached) if (port.owner === owner) this.#attached.delete(id);
  }

  deliver(from: Port, to: bigint, bytes: Uint8Array): void {
    this.messages++;
    const target = this.#attached.get(to);
    const message = this.#watcher.sent(from.owner, to, bytes);
    if (target === undefined) {
      this.#clock.afterUs(this.#weather.delayMinUs, () => from.lost(to), from.owner);
      return;
    }
    const linkKey = from.owner * 64 + target.owner;
    let link = this.#links.get(linkKey);
    if (link === undefined) {
      link = { count: 0, lastUs: 0 };
      this.#links.set(linkKey, link);
    }
    const number = ++link.count;
    const { lossPerMille, extraUs } = this.#fate(from.owner, target.owner);
    if (this.#dice.chance(lossPerMille, linkKey, number, 1)) {
      this.#watcher.dropped(target.owner, message);
      return;
    }
    const { delayMinUs, delayMaxUs, isOrdered, duplicatePerMille } = this.#weather;
    const spreadUs = delayMaxUs - delayMinUs + 1;
    const send = (draw: number): void => {
      let delayUs = delayMinUs + extraUs + this.#dice.int(spreadUs, linkKey, number, draw);
      if (isOrdered) {
        const nowUs = this.#clock.nowUs();
        delayUs = Math.max(delayUs, (link as { lastUs: number }).lastUs - nowUs);
        (link as { lastUs: number }).lastUs = nowUs + delayUs;
      }
      this.#clock.afterUs(delayUs, () => this.#arrive(from, to, bytes, message), target.owner);
    };
    send(2);
    const isRepeated = !this.isCalm && this.#dice.chance(duplicatePerMille, linkKey, number, 3);
    if (isRepeated && mayRepeat(bytes)) send(4);
  }

  /** Both directions work, or neither end has noticed yet that they do not. */
  isActive(from: Port, to: bigint): boolean {
    const target = this.#attached.get(to);
    if (target === undefined) return false;
    const nowUs = this.#clock.nowUs();
    for (const rule of this.#rules) {
      if (rule.lossPerMille < 1000) continue;
      const isHit =
        (rule.from.has(from.owner) && rule.to.has(target.owner)) ||
        (rule.to.has(from.owner) && rule.from.has(target.owner));
      if (isHit && nowUs - rule.sinceUs > this.#weather.noticeMs * 1000) return false;
    }
    return true;
  }

  /** The port that listens at one of the URLs and can be reached from `from`. */
  find(from: Port, peerUrls: readonly string[]): Port | undefined {
    for (const url of peerUrls) {
      const port = this.#byUrl.get(url);
      if (port?.isOpen && this.#fate(from.owner, port.owner).lossPerMille < 1000) return port;
    }
    return undefined;
  }

  /** Since when the node's log has said that it refuses a peer because no member knows it. */
  refusesForMs(owner: number): number {
    let forMs = 0;
    for (const port of this.#byUrl.values()) {
      if (port.owner === owner && port.isOpen) forMs = Math.max(forMs, port.refusesForMs());
    }
    return forMs;
  }

  /** The id of the member that listens at a peer URL. */
  idAt(peerUrl: string): bigint | undefined {
    const port = this.#byUrl.get(peerUrl);
    return port?.isOpen ? port.handler.memberId() : undefined;
  }

  later(fn: () => void, owner: number): void {
    this.#clock.afterUs(2 * this.#weather.delayMinUs, fn, owner);
  }

  #arrive(from: Port, to: bigint, bytes: Uint8Array, message: number): void {
    const port = this.#attached.get(to);
    if (port === undefined || this.#fate(from.owner, port.owner).lossPerMille >= 1000) {
      this.#watcher.dropped(port?.owner ?? -1, message);
      return;
    }
    this.#watcher.delivered(port.owner, message);
    const sender = from.handler.memberId();
    // The answer that a connection's greeting would get.
    if (port.handler.isRemoved(sender)) {
      this.#clock.afterUs(this.#weather.delayMinUs, () => from.removed(), from.owner);
    } else if (port.handler.peerUrls(sender) === undefined) port.find(sender);
    else if (!port.handler.greeted(sender, from.handler.incarnation())) {
      this.#clock.afterUs(this.#weather.delayMinUs, () => from.refusedIncarnation(), from.owner);
    } else port.handler.received(sender, bytes);
  }

  #fate(from: number, to: number): { lossPerMille: number; extraUs: number } {
    let lossPerMille = this.isCalm ? 0 : this.#weather.lossPerMille;
    let extraUs = 0;
    for (const rule of this.#rules) {
      if (!rule.from.has(from) || !rule.to.has(to)) continue;
      lossPerMille = Math.max(lossPerMille, rule.lossPerMille);
      extraUs += rule.extraUs;
    }
    return { lossPerMille, extraUs };
  }
}

/**
 * TCP does not deliver twice. Raft must handle a repeated message all the same. Only a repeated
 * forwarded proposal counts as another proposal: no member could distinguish it from the first.
 */
function mayRepeat(bytes: Uint8Array): boolean {
  const envelope = decodeEnvelope(bytes);
  if (envelope?.kind !== "raft") return true;
  return decodeMessage(envelope.message).type !== "MsgProp";
}

/** After this long without a refusal, the node no longer counts as refusing. */
const refusalGapMs = 2_000;

class Port implements Network {
  readonly handler: NetworkHandler;
  readonly owner: number;
  isOpen = true;
  refusing: { readonly sinceMs: number; readonly lastMs: number } | undefined;
  readonly #network: MemoryNetwork;
  readonly #options: PortOptions;
  readonly #peers = new Map<bigint, number>();
  readonly #finding = new Set<bigint>();

  constructor(network: MemoryNetwork, handler: NetworkHandler, options: PortOptions) {
    this.#network = network;
    this.#options = options;
    this.owner = options.owner;
    this.handler = handler;
  }

  send(to: bigint, message: Uint8Array): void {
    if (!this.isOpen) return;
    if (this.#peers.has(to)) this.#network.deliver(this, to, message);
    else this.handler.unreachable(to);
  }

  lost(to: bigint): void {
    if (this.isOpen && this.#options.isAlive()) this.handler.unreachable(to);
  }

  removed(): void {
    if (this.isOpen && this.#options.isAlive()) this.handler.removedFromCluster();
  }

  refusedIncarnation(): void {
    if (this.isOpen && this.#options.isAlive()) this.handler.refusedIncarnation();
  }

  /**
   * The member takes nothing from a sender that it does not know until it knows that sender's
   * address.
   */
  find(id: bigint): void {
    if (this.#finding.has(id)) return;
    this.#finding.add(id);
    this.handler.locate(id, (urls) => {
      this.#finding.delete(id);
      const isAt = urls?.some((url) => this.#network.idAt(url) === id) === true;
      if (urls !== undefined && isAt && this.isOpen) this.handler.located(id, urls);
      else this.#refused();
    });
  }

  #refused(): void {
    const nowMs = this.#options.nowMs();
    const isNew = this.refusing === undefined || nowMs - this.refusing.lastMs > refusalGapMs;
    this.refusing = { sinceMs: isNew ? nowMs : (this.refusing?.sinceMs ?? nowMs), lastMs: nowMs };
  }

  refusesForMs(): number {
    const nowMs = this.#options.nowMs();
    if (this.refusing === undefined || nowMs - this.refusing.lastMs > refusalGapMs) return 0;
    return nowMs - this.refusing.sinceMs;
  }

  setPeer(id: bigint): void {
    this.#peers.set(id, this.#options.nowMs());
    this.#network.attach(this.handler.memberId(), this);
  }

  removePeer(id: bigint): void {
    this.#peers.delete(id);
  }

  traffic(): readonly [] {
    return [];
  }

  activeSince(id: bigint): number | undefined {
    return this.#network.isActive(this, id) ? this.#peers.get(id) : undefined;
  }

  fetchCluster(peerUrls: readonly string[], done: (result: ClusterInfo | Error) => void): void {
    this.#network.later(() => {
      const info = this.#network.find(this, peerUrls)?.handler.clusterInfo();
      if (this.isOpen) done(info ?? new Error("nobody answers"));
    }, this.owner);
  }

  sharesAddress(
    some: readonly string[],
    others: readonly string[],
    done: (shares: boolean) => void,
  ): void {
    done(some.some((url) => others.includes(url)));
  }

  close(): void {
    this.isOpen = false;
    this.#network.detach(this);
  }
}
