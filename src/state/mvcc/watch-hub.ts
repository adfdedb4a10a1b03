/**
 * Placeholder of the watch hub's contract; the implementation replaces this file's types in place.
 */
import type { KvBytes, KvEvent, RevisionEvents } from "../types.js";

export interface WatchSpec {
  /** 0n: the hub picks the next free id of the stream, from 0 upward. */
  readonly watchId: bigint;
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

/** What a stream is told, in wire order. */
export type WatchNotice =
  | { readonly kind: "created"; readonly watchId: bigint; readonly revision: number }
  /** All of this watcher's events of one or more whole revisions, in order. */
  | {
      readonly kind: "events";
      readonly watchId: bigint;
      readonly revision: number;
      readonly events: readonly { readonly event: KvEvent; readonly prevKv: KvBytes | undefined }[];
    }
  /** `compactRevision` > 0: history at the wanted revision is gone. */
  | {
      readonly kind: "canceled";
      readonly watchId: bigint;
      readonly compactRevision: number;
      readonly revision: number;
    }
  /** watchId -1n: for the whole stream, as answer to a progress request. */
  | { readonly kind: "progress"; readonly watchId: bigint; readonly revision: number };

export interface WatchStream {
  /** Undefined when accepted (a "created" notice follows); otherwise why not. */
  create(spec: WatchSpec): "emptyRange" | "duplicateId" | "badRevision" | undefined;
  /** False: no such watcher on this stream. A "canceled" notice follows a true. */
  cancel(watchId: bigint): boolean;
  requestProgress(): void;
  /** The transport can take more again: see WatchHub.open. */
  resume(): void;
  close(): void;
}

export interface WatchHub {
  /**
   * `deliver` takes one notice and returns false when the transport is full; then nothing more is
   * delivered to this stream until `resume`, and its watchers catch up from the store later.
   */
  open(deliver: (notice: WatchNotice) => boolean): WatchStream;
  /** New events, in the turn that applied them; revisions strictly ascending. */
  notify(events: RevisionEvents): void;
  /** A bounded amount of catch-up; true while there is more. Called by the member's timer. */
  catchUp(): boolean;
  /** Periodic progress for watchers that asked for it and saw nothing since the last call. */
  tickProgress(): void;
  stats(): {
    readonly streams: number;
    readonly watchers: number;
    readonly slow: number;
    readonly pendingEvents: number;
  };
  /** Ends all streams (the member stops, or the store was replaced by a snapshot). */
  closeAll(): void;
}
