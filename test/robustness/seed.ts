/**
 * Keys whose values are written once and never again, so that any answer about them can be judged at
 * any time, from any member, at any later revision.
 */
import { randomBytes } from "node:crypto";
import { bytes, type EtcdClient } from "../support/client.js";

export interface SeedOptions {
  readonly count: number;
  /** Of value `i`. */
  readonly valueBytes: (place: number) => number;
}

const inFlight = 16;

export class Seed {
  readonly count: number;
  readonly #valueBytes: (place: number) => number;
  /** Values of two runs differ, so that a search in a file finds no others. */
  readonly #run = randomBytes(8).toString("hex");

  constructor(options: SeedOptions) {
    this.count = options.count;
    this.#valueBytes = options.valueBytes;
  }

  key(place: number): Buffer {
    return bytes(`s/${String(place).padStart(6, "0")}`);
  }

  /** Begins with a mark that stands nowhere else in a file. */
  value(place: number): Buffer {
    const value = Buffer.alloc(this.#valueBytes(place), place & 255);
    value.write(this.#mark(place), "latin1");
    return value;
  }

  /** The bytes to look for in a file. */
  mark(place: number): Buffer {
    return bytes(this.#mark(place));
  }

  async write(client: EtcdClient): Promise<void> {
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let place = next++; place < this.count; place = next++) {
        const request = { key: this.key(place), value: this.value(place) };
        await client.put(request, { timeoutMs: 60_000 });
      }
    };
    await Promise.all(Array.from({ length: inFlight }, worker));
  }

  #mark(place: number): string {
    return `mark-${this.#run}-${String(place).padStart(6, "0")}-`;
  }
}
