/**
 * The contract of the watch hub: what a service may ask of it, which notices it sends to a stream,
 * and what the member must do. hub.ts says how the hub keeps it.
 */
import type { KvBytes, KvEvent, RevisionEvents } from "../types.js";

export interface WatchSpec {
  /** 0n: the hub picks the next free id of the stream, from 0 upward. */
  readonly watchId: bigint;
  /** Empty means a single 0 byte, the smallest key. */
  readonly key: Uint8Array;
  /** Empty: the single key. A single 0 byte: everything from `key` on. */
  readonly rangeEnd: Uint8Array;
  /** 0: from now. */
  readonly startRevision: number;
  readonly progressNotify: boolean;
  readonly noPut: boolean;
  readonly noDelete: boolean;
  readonly prevKv: boolean;
}

/** One event as one watcher sees it. Objects and arrays of them may be shared between notices. */
export interface WatchedEvent {
  readonly event: KvEvent;
  readonly prevKv: KvBytes | undefined;
}

/** A notice to a stream, in wire order. */
export type WatchNotice =
  | { readonly kind: "created"; readonly watchId: bigint; readonly revision: number }
  /** The answer to a creation that was refused. Answers come in the order of the creations. */
  | { readonly kind: "refused"; readonly reason: RefusalReason; readonly revision: number }
  /** All of this watcher's events of one or more whole revisions, in order. */
  | {
      readonly kind: "events";
      readonly watchId: bigint;
      readonly revision: number;
      readonly events: readonly WatchedEvent[];
    }
  /** `compactRevision` > 0: history at the wanted revision is gone (`revision` is then 0). */
  | {
      readonly kind: "canceled";
      readonly watchId: bigint;
      readonly compactRevision: number;
      readonly revision: number;
    }
  /** watchId -1n: for the whole stream, as answer to a progress request. */
  | { readonly kind: "progress"; readonly watchId: bigint; readonly revision: number }
  /**
   * The last notice: the hub has closed the stream. It comes even while the transport is full.
   * "overloaded": the client sends requests without reading the answers.
   */
  | { readonly kind: "ended"; readonly cause: EndCause };

export type RefusalReason = "emptyRange" | "duplicateId" | "badRevision";
export type EndCause = "stopped" | "overloaded" | "noLeader" | "failed";

export interface WatchStream {
  /**
   * Creates a watcher. Returns the reason if it is refused; undefined: it is created. A "created"
   * or "refused" notice says so as well.
   */
  create(spec: WatchSpec): RefusalReason | undefined;
  /**
   * Cancels a watcher. Returns false if this stream has none of that id. After true a "canceled"
   * notice follows.
   */
  cancel(watchId: bigint): boolean;
  /**
   * Asks for a progress notice. It comes only if every watcher of the stream has seen everything up
   * to now; otherwise there is no answer, as in etcd.
   */
  requestProgress(): void;
  /** Call when the transport can take more again: see WatchHub.open. */
  resume(): void;
  /** Closes the stream without a notice. A second call does nothing. */
  close(): void;
}

export interface WatchHub {
  /**
   * Opens a stream. `deliver` takes one notice and returns false when the transport is full. Then
   * nothing more is delivered to this stream until `resume`, and its watchers catch up from the
   * store later. With `needsLeader` the stream ends when there is no leader for too long.
   */
  open(deliver: (notice: WatchNotice) => boolean, needsLeader?: boolean): WatchStream;
  /**
   * Takes new events, in the turn that applied them, before anybody asks the hub anything and
   * before the next entry is applied. Revisions are strictly ascending.
   */
  notify(events: RevisionEvents): void;
  /**
   * Does a bounded amount of catch-up. Returns true while there is more. The member's timer calls
   * it.
   */
  catchUp(): boolean;
  /** Sends progress to watchers that asked for it and got nothing since the last call. */
  tickProgress(): void;
  stats(): {
    readonly streams: number;
    readonly watchers: number;
    /** How many watchers must catch up from the store. */
    readonly slow: number;
    /** How many notices are held for full transports; none of them carries events. */
    readonly pendingEvents: number;
  };
  /** Call when there was no leader for three election timeouts: ends the streams that need one. */
  leaderLost(): void;
  /**
   * Call when history cannot be read: ends the streams of all watchers that are behind the state.
   */
  endBehind(): void;
  /** Ends all streams. Call when the member stops or a snapshot has replaced the store. */
  closeAll(): void;
}
