/**
 * Writers that put unique values and remember what they were told. Each writer has one key and one
 * put in flight; a failed put is never repeated, so a value that appears twice in history was
 * applied twice by the servers. `verify` reads history and holds it against the memory.
 */
import { type EtcdClient, unaryMethods } from "../support/client.js";
import type { Cluster, ClusterMember } from "../support/cluster.js";
import type { SeededRng } from "../support/seeded-rng.js";
import { collectEvents } from "../support/watcher.js";

/** `revision` undefined: nobody knows whether it was applied. */
interface Attempt {
  readonly value: string;
  revision: number | undefined;
}

interface Writer {
  readonly key: string;
  attempts: number;
  /** Those not yet verified, and unknown ones for ever: they may still come out of a log. */
  readonly open: Map<string, Attempt>;
  /** Values already seen in history. */
  readonly seen: Set<string>;
}

const PREFIX = "w/";
const PREFIX_END = "w0";
const PUT_TIMEOUT_MS = 3_000;
/** A writer that was refused waits this long, so that a dead member is not hammered. */
const RETRY_MS = 50;

export class Load {
  readonly #cluster: Pick<Cluster, "members">;
  readonly #rng: SeededRng;
  readonly #paceMs: number;
  readonly #writers: Writer[];
  #isRunning = false;
  #inFlight = 0;
  #idle: (() => void) | undefined;
  #verifiedRevision = 1;
  acknowledged = 0;
  failed = 0;

  constructor(
    cluster: Pick<Cluster, "members">,
    options: {
      readonly writers: number;
      readonly rng: SeededRng;
      /** Between two writes of one writer; default 0. */
      readonly paceMs?: number;
    },
  ) {
    this.#cluster = cluster;
    this.#rng = options.rng;
    this.#paceMs = options.paceMs ?? 0;
    this.#writers = Array.from({ length: options.writers }, (_, i) => ({
      key: `${PREFIX}${i}`,
      attempts: 0,
      open: new Map(),
      seen: new Set(),
    }));
  }

  start(): void {
    this.#isRunning = true;
    for (const writer of this.#writers) {
      this.#inFlight++;
      this.#next(writer);
    }
  }

  /** Resolves when no put is in flight any more. */
  pause(): Promise<void> {
    this.#isRunning = false;
    return new Promise((resolve) => {
      if (this.#inFlight === 0) resolve();
      else this.#idle = resolve;
    });
  }

  #next(writer: Writer): void {
    if (!this.#isRunning) {
      this.#inFlight--;
      if (this.#inFlight === 0) this.#idle?.();
      return;
    }
    const running = this.#cluster.members.filter((member) => member.isRunning);
    if (running.length === 0) {
      setTimeout(() => this.#next(writer), RETRY_MS);
      return;
    }
    this.#put(writer, this.#rng.pick(running).client);
  }

  #put(writer: Writer, client: EtcdClient): void {
    const value = `${writer.key}#${++writer.attempts}.`;
    const attempt: Attempt = { value, revision: undefined };
    writer.open.set(value, attempt);
    const request = {
      ...unaryMethods.put.request.decode(new Uint8Array(0)),
      key: Buffer.from(writer.key),
      value: Buffer.from(value),
    };
    client.call("put", request, { timeoutMs: PUT_TIMEOUT_MS }, (error, response) => {
      if (error === null && response !== undefined) {
        attempt.revision = Number(response.header?.revision);
        this.acknowledged++;
        if (this.#paceMs === 0) this.#next(writer);
        else setTimeout(() => this.#next(writer), this.#paceMs);
      } else {
        this.failed++;
        setTimeout(() => this.#next(writer), RETRY_MS);
      }
    });
  }

  /**
   * Reads the events since the last verification from `member` and checks them: revisions rise, no
   * value twice, every acknowledged value there at its revision. To be called while paused.
   * @returns the revision up to which history was read.
   * @throws with the first finding.
   */
  async verify(member: ClusterMember): Promise<number> {
    const { header } = await member.client.range({ key: Buffer.from("none") });
    const until = Number(header?.revision);
    if (until > this.#verifiedRevision) {
      const responses = await collectEvents(member.client, {
        key: Buffer.from(PREFIX),
        range_end: Buffer.from(PREFIX_END),
        start_revision: BigInt(this.#verifiedRevision + 1),
        untilRevision: until,
      });
      for (const response of responses) {
        for (const event of response.events) {
          if (event.kv === undefined) throw new Error("an event without a key-value");
          this.#check(String(event.kv.key), String(event.kv.value), Number(event.kv.mod_revision));
        }
      }
    }
    for (const writer of this.#writers) {
      for (const { value, revision } of writer.open.values()) {
        if (revision === undefined) continue;
        throw new Error(`acknowledged write lost: ${value} at revision ${revision}`);
      }
    }
    return until;
  }

  #check(key: string, value: string, revision: number): void {
    if (revision <= this.#verifiedRevision) {
      throw new Error(`revision ${revision} after ${this.#verifiedRevision}: it must rise`);
    }
    this.#verifiedRevision = revision;
    const writer = this.#writers[Number(key.slice(PREFIX.length))];
    if (writer === undefined) throw new Error(`a key that nobody wrote: ${key}`);
    if (writer.seen.has(value)) throw new Error(`applied twice: ${value}, again at ${revision}`);
    writer.seen.add(value);
    const attempt = writer.open.get(value);
    if (attempt === undefined) throw new Error(`a value that nobody wrote: ${value}`);
    if (attempt.revision !== undefined && attempt.revision !== revision) {
      throw new Error(`${value} acknowledged at ${attempt.revision}, stands at ${revision}`);
    }
    writer.open.delete(value);
  }
}
