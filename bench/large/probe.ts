/**
 * Small linearizable reads at a fixed pace, whether or not the earlier ones are answered: what other
 * clients see while a large request runs.
 */

import { complete } from "../../src/cli/ctl/method.js";
import { RangeRequest } from "../../src/wire/gen/rpc.js";
import { percentile } from "../load/latencies.js";
import { BareClient } from "./http2-client.js";

const defaultPaceMs = 5;

export interface Waits {
  readonly longestMs: number;
  readonly p99Ms: number;
  readonly count: number;
}

export class Probe {
  readonly #client: BareClient;
  readonly #message: Uint8Array;
  readonly #paceMs: number;
  readonly #sentMs = new Set<number>();
  #waits: number[] = [];
  #timer: NodeJS.Timeout | undefined;
  #failure: Error | undefined;

  private constructor(client: BareClient, key: Uint8Array, paceMs: number) {
    this.#client = client;
    this.#paceMs = paceMs;
    this.#message = RangeRequest.encode(complete(RangeRequest, { key: Buffer.from(key) })).finish();
  }

  static async open(
    endpoint: string,
    key: Uint8Array,
    paceMs: number = defaultPaceMs,
  ): Promise<Probe> {
    return new Probe(await BareClient.open(endpoint), key, paceMs);
  }

  start(): void {
    this.#waits = [];
    this.#timer = setInterval(() => this.#ask(), this.#paceMs);
  }

  /** Waits for the answers of all reads. @throws if one failed */
  async stop(): Promise<Waits> {
    clearInterval(this.#timer);
    while (this.#sentMs.size > 0) await new Promise((resolve) => setTimeout(resolve, 1));
    if (this.#failure !== undefined) throw this.#failure;
    const sorted = this.#waits.sort((x, y) => x - y);
    const count = sorted.length;
    return { longestMs: sorted.at(-1) ?? 0, p99Ms: percentile(sorted, 0.99), count };
  }

  close(): void {
    this.#client.close();
  }

  #ask(): void {
    const sentMs = performance.now();
    this.#sentMs.add(sentMs);
    this.#client.call("/etcdserverpb.KV/Range", this.#message).then(
      ({ status, message }) => {
        this.#sentMs.delete(sentMs);
        this.#waits.push(performance.now() - sentMs);
        if (status !== "0") this.#failure = new Error(`the probe was answered ${message}`);
      },
      (error: Error) => {
        this.#sentMs.delete(sentMs);
        this.#failure = error;
      },
    );
  }
}
