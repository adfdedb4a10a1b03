/**
 * A reference server and the server under test that have had the same requests from their first
 * start on, so that every revision of one is that of the other. `run` sends each operation to both
 * and stops at the first difference; after one the pair must not be used again.
 */
import type { WatchResponse } from "../../src/wire/gen/rpc.js";
import { bytes, type EtcdClient } from "../support/client.js";
import { Cluster } from "../support/cluster.js";
import type { ServerKind } from "../support/server-kind.js";
import { collectEvents } from "../support/watcher.js";
import { type Answer, comparable, failed } from "./comparison.js";
import { lower, type Operation } from "./operation.js";

export interface Difference {
  readonly at: number;
  readonly operation: Operation | undefined;
  readonly revision: number;
  readonly reference: string;
  readonly subject: string;
}

async function ask(client: EtcdClient, operation: Operation, request: object): Promise<Answer> {
  try {
    return { ok: await client[operation.call](request as never) };
  } catch (error) {
    return failed(error);
  }
}

/** Why a server went away, if it did. */
async function lastWords({ first }: Cluster): Promise<string> {
  const gone = await Promise.race([
    first.process.exited.then(() => true),
    new Promise<boolean>((resolve) => setTimeout(resolve, 500, false)),
  ]);
  if (!gone) return "";
  const log = first.process.log();
  const panic = log.search(/panic|fatal/i);
  return `; it ended:\n${log.slice(panic, panic + 2_500)}`;
}

function printEvents(responses: readonly WatchResponse[]): string {
  const events = responses.flatMap((response) => response.events);
  return JSON.stringify(events, (_key, value) =>
    typeof value === "bigint" ? Number(value) : value,
  );
}

export class ServerPair {
  readonly #reference: Cluster;
  readonly #subject: Cluster;
  /** The reference's current and compacted revisions, as far as its answers told. */
  revision = 1;
  compacted = 0;
  readonly #compactions = new Set<number>();
  /** Ids that the server under test gave out before its last restart. */
  readonly #forgotten = new Set<number>();
  /**
   * True for etcd before 3.4.34 and 3.5.16: its compaction removes deletions at exactly its
   * revision.
   */
  readonly #keepsLastDeletion: boolean;

  private constructor(reference: Cluster, subject: Cluster, keepsLastDeletion: boolean) {
    this.#keepsLastDeletion = keepsLastDeletion;
    this.#reference = reference;
    this.#subject = subject;
  }
  static async start(reference: ServerKind, subject: ServerKind): Promise<ServerPair> {
    const [first, second] = await Promise.all([
      Cluster.start({ kind: reference }),
      Cluster.start({ kind: subject }),
    ]);
    return new ServerPair(first, second, reference !== "etcd34");
  }

  async run(operations: readonly Operation[]): Promise<Difference | undefined> {
    for (const [at, operation] of operations.entries()) {
      const request = lower(operation, this.revision);
      if (this.#isIncomparable(operation, request)) continue;
      const askBoth = () =>
        Promise.all([
          ask(this.#reference.first.client, operation, request),
          ask(this.#subject.first.client, operation, request),
        ]);
      let [reference, subject] = await askBoth();
      const untilMs = Date.now() + (this.#isOfCompaction(operation, request) ? 2_000 : 0);
      while (comparable(operation, reference) !== comparable(operation, subject)) {
        if (Date.now() >= untilMs) break;
        [reference, subject] = await askBoth();
      }
      const expected = comparable(operation, reference);
      const actual = comparable(operation, subject);
      // A server that went away is a finding, even when both did.
      if (expected !== actual || expected.startsWith("error 14:")) {
        const { revision } = this;
        return {
          at,
          operation,
          revision,
          reference: expected + (await lastWords(this.#reference)),
          subject: actual + (await lastWords(this.#subject)),
        };
      }
      if ("ok" in reference) this.#note(operation, request, reference.ok);
    }
    return undefined;
  }

  #note(operation: Operation, request: object, response: object): void {
    const { header } = response as { header?: { revision: bigint } };
    this.revision = Number(header?.revision ?? this.revision);
    if (operation.call === "compact") {
      this.compacted = Number((request as { revision: bigint }).revision);
      this.#compactions.add(this.compacted);
    }
  }

  /**
   * Both remember the hashes of their last ten compactions until they restart, and answer HashKV at
   * exactly these revisions from memory (etcd 3.4 does not).
   */
  #isIncomparable(operation: Operation, request: object): boolean {
    if (operation.call !== "hashKv") return false;
    if (!this.#keepsLastDeletion && this.compacted > 0) return true;
    return this.#forgotten.has(Number((request as { revision: bigint }).revision));
  }

  /** etcd has that hash when its background work is over, a moment after the compaction's answer. */
  #isOfCompaction(operation: Operation, request: object): boolean {
    if (operation.call !== "hashKv") return false;
    return this.#compactions.has(Number((request as { revision: bigint }).revision));
  }

  /** All events after `since` that history still has, with previous values, from both. */
  async compareEvents(since: number): Promise<Difference | undefined> {
    const start = Math.max(since + 1, this.compacted + (this.#keepsLastDeletion ? 0 : 1), 1);
    if (start > this.revision) return undefined;
    // A last event of a known revision ends the collection on both sides.
    const last = await this.run([{ call: "put", fields: { key: "watch-end" } }]);
    if (last !== undefined) return last;
    const all = { key: bytes("\0"), range_end: bytes("\0"), prev_kv: true };
    const [reference, subject] = await Promise.all(
      [this.#reference, this.#subject].map(async (cluster) =>
        printEvents(
          await collectEvents(cluster.first.client, {
            ...all,
            start_revision: BigInt(start),
            untilRevision: this.revision,
          }),
        ),
      ),
    );
    if (reference === subject || reference === undefined || subject === undefined) return undefined;
    return { at: -1, operation: undefined, revision: start, reference, subject };
  }

  /** Ends the server under test, politely or not, and starts it again on its data. */
  async restartSubject(how: "SIGTERM" | "SIGKILL"): Promise<void> {
    const { first } = this.#subject;
    for (const revision of this.#compactions) this.#forgotten.add(revision);
    await (how === "SIGKILL" ? first.kill() : first.stop());
    await first.start();
    await first.client.reconnected();
  }

  async dispose(): Promise<void> {
    await Promise.all([this.#reference.dispose(), this.#subject.dispose()]);
  }
}
