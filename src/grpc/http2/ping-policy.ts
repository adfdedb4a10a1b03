/**
 * Both sides of keepalive, with the rules of grpc-go's server, which etcd has: a client that pings
 * more often than it may is told to calm down, and a client that answers no ping is gone.
 */
export interface KeepaliveOptions {
  /** A client may ping once in this time while it has calls (`--grpc-keepalive-min-time`). */
  readonly minTimeMs: number;
  /** A connection on which nothing came for so long is pinged (`--grpc-keepalive-interval`). */
  readonly intervalMs: number;
  /** It is closed if nothing comes for so long after that (`--grpc-keepalive-timeout`). */
  readonly timeoutMs: number;
}

export const defaultKeepalive: KeepaliveOptions = {
  minTimeMs: 5_000,
  intervalMs: 2 * 3_600_000,
  timeoutMs: 20_000,
};

/** How often a client without calls may ping. */
const withoutCallsMs = 2 * 3_600_000;
const strikesMax = 2;

export class PingPolicy {
  readonly #options: KeepaliveOptions;
  #lastPingMs = Number.NEGATIVE_INFINITY;
  #strikes = 0;
  #lastReceivedMs: number;
  #askedMs = -1;

  constructor(options: KeepaliveOptions, nowMs: number) {
    this.#options = options;
    this.#lastReceivedMs = nowMs;
  }

  /**
   * False: too many pings. What we sent since the last one excuses this one: clients measure with
   * pings how far we are away.
   */
  onPing(nowMs: number, hasCalls: boolean, hasSent: boolean): boolean {
    const distanceMs = nowMs - this.#lastPingMs;
    this.#lastPingMs = nowMs;
    if (hasSent) this.#strikes = 0;
    else if (distanceMs < (hasCalls ? this.#options.minTimeMs : withoutCallsMs)) this.#strikes++;
    return this.#strikes <= strikesMax;
  }

  onReceived(nowMs: number): void {
    this.#lastReceivedMs = nowMs;
    this.#askedMs = -1;
  }

  check(nowMs: number): "alive" | "ask" | "gone" {
    if (this.#askedMs >= 0) {
      return nowMs - this.#askedMs >= this.#options.timeoutMs ? "gone" : "alive";
    }
    if (nowMs - this.#lastReceivedMs < this.#options.intervalMs) return "alive";
    this.#askedMs = nowMs;
    return "ask";
  }
}
