/**
 * Keepalive on both sides, with the rules of grpc-go's server, which etcd uses. A client that pings
 * too often is told to calm down. A client that does not answer a ping counts as gone.
 */
export interface KeepaliveOptions {
  /** Milliseconds between two pings of a client that has calls (`--grpc-keepalive-min-time`). */
  readonly minTimeMs: number;
  /** Milliseconds without input after which the server pings (`--grpc-keepalive-interval`). */
  readonly intervalMs: number;
  /**
   * Milliseconds without input after the ping, then the server closes the connection
   * (`--grpc-keepalive-timeout`).
   */
  readonly timeoutMs: number;
}

/** etcd's defaults of the three flags. */
export const defaultKeepalive: KeepaliveOptions = {
  minTimeMs: 5_000,
  intervalMs: 2 * 3_600_000,
  timeoutMs: 20_000,
};

/**
 * etcd's listeners ask the kernel to probe a silent connection each 15 s, and it gives up after 150 s; Go
 * also limits how long sent data may stay unacknowledged. Node can set neither, so the same time is kept
 * by pings: a host that vanished without a word is noticed whatever the flags say.
 */
const vanishedAskMs = 60_000;
const vanishedMs = 90_000;

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
   * False: too many pings. Output since the last ping excuses this one, because clients measure the
   * round trip with pings.
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
    const { intervalMs, timeoutMs } = this.#options;
    const silentMs = nowMs - this.#lastReceivedMs;
    if (this.#askedMs >= 0) {
      const isGone = silentMs >= intervalMs + timeoutMs || nowMs - this.#askedMs >= vanishedMs;
      return isGone ? "gone" : "alive";
    }
    if (silentMs < Math.min(intervalMs, vanishedAskMs)) return "alive";
    this.#askedMs = nowMs;
    return "ask";
  }
}
