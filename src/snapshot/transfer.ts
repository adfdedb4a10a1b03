/**
 * Connects both sides of a state transfer with the peers. A follower that gets an offer first
 * fetches and proves the content. Raft hears of the offer only then, so it never waits for a
 * transfer and never counts on a state that is not here.
 */
import { KvError } from "../base/errors.js";
import { PeerMethod } from "../peers/codec.js";
import type { Peers } from "../peers/peers.js";
import type { Clock } from "../platform/clock.js";
import type { Sha256 } from "../platform/hash.js";
import type { Message, SnapshotMeta } from "../raft/types.js";
import type { Committer } from "../storage/committer.js";
import { readRefusal } from "../storage/read-jobs.js";
import type { StateStore } from "../storage/state-store.js";
import { proveFetched } from "./prove-fetched.js";
import { SnapshotSink, type SnapshotSinkParts } from "./sink.js";
import { SnapshotSource } from "./source.js";

/** Milliseconds after which a silent receiver gets a new offer. */
const stalledMs = 5_000;

export interface SnapshotTransferParts {
  readonly clock: Clock;
  readonly sha256: Sha256;
  readonly state: Pick<StateStore, "machine" | "view">;
  committer(): Pick<Committer, "flush">;
  oldestUsable(): number;
  /** Passes the offer to raft: this member has the content and has proven it. */
  offer(message: Message): void;
  /** True while raft has not decided about an offer that it got. */
  isUndecided(): boolean;
  /** Reports that the state to be sent is damaged. */
  failed(error: Error): void;
  /** A follower reports that its transfer failed. */
  failedAt(follower: bigint): void;
  log(level: "info" | "warn", message: string, fields: Readonly<Record<string, unknown>>): void;
}

export class SnapshotTransfer {
  readonly source: SnapshotSource;
  readonly sink: SnapshotSink;
  /** Fetches states that this member asks for itself, in order to heal. */
  readonly healSink: SnapshotSink;
  readonly #parts: SnapshotTransferParts;
  readonly #request: SnapshotSinkParts["request"];
  /** Since when each follower has needed a snapshot. */
  readonly #offeredMs = new Map<bigint, number>();

  constructor(
    parts: SnapshotTransferParts,
    peers: Pick<Peers, "serve">,
    receiving: Pick<SnapshotSinkParts, "backends" | "request">,
  ) {
    this.#parts = parts;
    this.#request = receiving.request;
    this.source = new SnapshotSource({
      clock: parts.clock,
      oldestUsable: () => parts.oldestUsable(),
      confState: () => parts.state.machine().confState,
      freeze: (done) =>
        parts.committer().flush((proof) => {
          done({ view: parts.state.view(), ...proof });
        }),
    });
    const proving = { clock: parts.clock, sha256: parts.sha256 };
    this.sink = new SnapshotSink({
      ...receiving,
      verify: (fetched, isStopped, done) => proveFetched(fetched, { ...proving, isStopped }, done),
      log: (message, fields) => parts.log("info", message, fields),
    });
    this.healSink = new SnapshotSink({
      ...receiving,
      prefix: (index) => `heal-${index}-`,
      verify: (fetched, isStopped, done) => proveFetched(fetched, { ...proving, isStopped }, done),
      log: (message, fields) => parts.log("info", message, fields),
    });
    peers.serve(PeerMethod.snapshotManifest, (from, body, done) => {
      const view = new DataView(body.buffer, body.byteOffset, body.length);
      done(
        body.length < 8
          ? new KvError("compacted")
          : this.source.manifest(from, view.getFloat64(0, true)),
      );
    });
    peers.serve(PeerMethod.snapshotChunk, (from, body, done) => {
      let chunk: Uint8Array | KvError;
      try {
        chunk = this.source.chunk(from, body);
      } catch (error) {
        chunk = readRefusal(error, {
          damaged: (damage) => parts.failed(damage),
          log: (_level, text, fields) => parts.log("warn", text, fields),
        });
      }
      done(chunk);
    });
    peers.serve(PeerMethod.snapshotFailed, (from, _body, done) => {
      parts.failedAt(from);
      done(new Uint8Array(0));
    });
  }

  /** Call when a MsgSnap arrives. */
  offered(message: Message): void {
    const meta = message.snapshot as SnapshotMeta;
    if (meta.index <= this.#parts.state.machine().appliedIndex) {
      // There is nothing to fetch, and a fetched backend might get the name of the one in use. Raft
      // answers the leader that it has this index.
      this.#parts.offer(message);
      return;
    }
    // Raft may be about to install the state that was fetched before. The leader will offer again.
    if (this.sink.hasFetched() && this.#parts.isUndecided()) return;
    this.sink.fetch(message.from, meta.index, (error) => {
      if (error === undefined) {
        this.#parts.offer(message);
        return;
      }
      this.#parts.log("warn", "failed to fetch snapshot", {
        "snapshot-index": meta.index,
        error: error.message,
      });
      this.#request(message.from, PeerMethod.snapshotFailed, new Uint8Array(0), () => {});
    });
  }

  /**
   * Call at the leader with each tick. If a follower needs a snapshot but has asked for nothing for
   * a while, the leader probes it again: the offer, the follower's report or its acknowledgement
   * was lost.
   */
  watchReceivers(receivers: readonly bigint[], nowMs: number): void {
    for (const id of this.#offeredMs.keys())
      if (!receivers.includes(id)) this.#offeredMs.delete(id);
    for (const id of receivers) {
      const sinceMs = Math.max(this.source.askedMs(id) ?? 0, this.#offeredMs.get(id) ?? nowMs);
      if (!this.#offeredMs.has(id)) this.#offeredMs.set(id, nowMs);
      if (nowMs - sinceMs < stalledMs) continue;
      this.#offeredMs.delete(id);
      this.source.forget(id);
      this.#parts.failedAt(id);
    }
  }

  /** `isInstalling`: raft has taken the fetched state, and the log may already refer to it. */
  close(isInstalling: boolean): void {
    this.source.close();
    this.healSink.stop();
    if (isInstalling) this.sink.leave();
    else this.sink.stop();
  }
}
