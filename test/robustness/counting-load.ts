/**
 * Writers that put rising numbers, each to a key of its own that nobody deletes, and one at a time. How
 * often a key was written (its version) and what it holds tell at any later time whether an acknowledged
 * put was lost or one was applied twice: no history is needed, so it may be compacted meanwhile.
 */
import { bytes, type EtcdClient } from "../support/client.js";
import type { ClusterMember } from "../support/cluster.js";

const timeoutMs = 15_000;
const retryMs = 50;

interface Writer {
  readonly key: string;
  sent: number;
  acknowledged: number;
  /** The last number that was acknowledged. */
  last: number;
}

export class CountingLoad {
  readonly #targets: () => readonly ClusterMember[];
  readonly #paceMs: number;
  readonly #writers: Writer[];
  #isOn = true;
  readonly #loops: Promise<void>[];
  /** "code text" of what was not acknowledged. */
  readonly refusals = new Map<string, number>();

  constructor(
    targets: () => readonly ClusterMember[],
    options: {
      readonly writers: number;
      readonly paceMs: number;
      readonly textOf: (error: unknown) => string;
    },
  ) {
    this.#targets = targets;
    this.#paceMs = options.paceMs;
    this.#writers = Array.from({ length: options.writers }, (_, place) => ({
      key: `w/${place}`,
      sent: 0,
      acknowledged: 0,
      last: 0,
    }));
    this.#loops = this.#writers.map((writer, place) => this.#run(writer, place, options.textOf));
  }

  acknowledged(): number {
    return this.#writers.reduce((sum, { acknowledged }) => sum + acknowledged, 0);
  }

  async end(): Promise<void> {
    this.#isOn = false;
    await Promise.all(this.#loops);
  }

  /** What is wrong with what `client` reads, if something is. */
  async findings(client: EtcdClient): Promise<string[]> {
    const found: string[] = [];
    for (const { key, sent, acknowledged, last } of this.#writers) {
      const { kvs } = await client.range({ key: bytes(key) }, { timeoutMs: 60_000 });
      const value = Number(kvs[0]?.value ?? 0);
      const version = Number(kvs[0]?.version ?? 0);
      const told = `${key}: sent ${sent}, acknowledged ${acknowledged}, the last ${last}; it holds ${value} at version ${version}`;
      if (version < acknowledged || value < last)
        found.push(`an acknowledged put is lost: ${told}`);
      if (version > sent || value > sent) found.push(`a put was applied twice: ${told}`);
    }
    return found;
  }

  async #run(writer: Writer, place: number, textOf: (error: unknown) => string): Promise<void> {
    for (let turn = place; this.#isOn; turn++) {
      const targets = this.#targets();
      const target = targets[turn % Math.max(1, targets.length)];
      let waitMs = this.#paceMs;
      if (target !== undefined) {
        const number = ++writer.sent;
        try {
          const request = { key: bytes(writer.key), value: bytes(`${number}`) };
          await target.client.put(request, { timeoutMs });
          writer.acknowledged++;
          writer.last = number;
        } catch (error) {
          const text = textOf(error);
          this.refusals.set(text, (this.refusals.get(text) ?? 0) + 1);
          waitMs = retryMs;
        }
      }
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
}
