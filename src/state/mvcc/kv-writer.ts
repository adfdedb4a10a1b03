/**
 * Changes of the key space by one entry. All get the same main revision, each its own sub revision.
 * Reads through the writer see what it has written. Nothing here checks: callers must do so before
 * the first change.
 */
import { DamageError, rebuildAdvice } from "../../base/errors.js";
import { Bucket } from "../../platform/rows.js";
import { encodeKeyValue } from "../../wire/key-value.js";
import type { EntryWrite } from "../entry-write.js";
import type { LeaseTable } from "../lease/lease-table.js";
import type { KvBytes, KvEvent, RevisionEvents } from "../types.js";
import type { Work } from "../work.js";
import type { AnswerRoom } from "./answer-room.js";
import {
  type KeyHistory,
  type KeyIndex,
  type KeyRange,
  type KeyText,
  keyBytes,
  keyText,
} from "./key-index.js";
import type { KvView } from "./kv-view.js";
import { keyRange, nextKey } from "./range.js";
import type { RangeRows } from "./range-rows.js";
import { encodeRevision } from "./revision-key.js";

const empty = new Uint8Array(0);
/** How many keys one walk of the index looks at. */
const keysPerWalk = 256;

/** Gathers the values from before a deletion, for an answer that shows them. */
export interface PrevKvs {
  readonly rows: RangeRows;
  readonly room: AnswerRoom;
}

export interface PutFields {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly lease: bigint;
}

export class KvWriter implements KvView {
  readonly index: KeyIndex;
  readonly compactRevision: number;
  readonly #w: EntryWrite;
  readonly #leases: LeaseTable;
  readonly #base: number;
  readonly #eventsMax: number;
  /** The first `eventsMax` changes. */
  #events: KvEvent[] = [];
  #changes = 0;
  /** The first and the last of all changed keys. */
  #first = "";
  #last = "";

  constructor(
    w: EntryWrite,
    parts: { readonly index: KeyIndex; readonly leases: LeaseTable },
    base: { readonly revision: number; readonly compactRevision: number },
    eventsMax: number = Number.MAX_SAFE_INTEGER,
  ) {
    this.#w = w;
    this.index = parts.index;
    this.#leases = parts.leases;
    this.#base = base.revision;
    this.compactRevision = base.compactRevision;
    this.#eventsMax = eventsMax;
  }

  /** The revision before this entry, or the entry's own once it has changed something. */
  get revision(): number {
    return this.#changes > 0 ? this.#base + 1 : this.#base;
  }

  /** The revision of this entry's writes. */
  get writeRevision(): number {
    return this.#base + 1;
  }

  row(history: KeyHistory, place: number): KvBytes {
    return this.rowAt(history.main(place), history.sub(place));
  }

  rowAt(main: number, sub: number): KvBytes {
    const key = encodeRevision(main, sub, false);
    return this.#w.get(Bucket.key, key) ?? missingRow(key);
  }

  leaseOf(key: KeyText): bigint {
    return this.#leases.leaseOfText(key);
  }

  /** The live KeyValue of a key now. */
  current(key: Uint8Array): KvBytes | undefined {
    const history = this.index.get(keyText(key));
    if (history === undefined || !history.isAlive()) return undefined;
    return this.row(history, history.count - 1);
  }

  put(fields: PutFields): void {
    const main = this.writeRevision;
    const sub = this.#changes;
    const { key, value, lease } = fields;
    const history = this.index.put(keyText(key), main, sub);
    const { createRevision, version } = history;
    const kv = encodeKeyValue({ key, createRevision, modRevision: main, version, value, lease });
    this.#w.putNew(Bucket.key, encodeRevision(main, sub, false), kv);
    if (lease === 0n) this.#leases.detach(key);
    else this.#leases.attach(key, lease);
    this.#changed({ type: "put", key, kv, isCreate: version === 1 });
  }

  countAlive(range: KeyRange): number {
    return this.index.aliveIn(range);
  }

  /**
   * Deletes the live keys of a range and returns their number. `prev` gets their values from
   * before.
   */
  *deleteRange(
    target: { readonly key: Uint8Array; readonly rangeEnd: Uint8Array },
    work: Work,
    prev?: PrevKvs,
  ): Generator<undefined, number> {
    const range = keyRange(target.key, target.rangeEnd);
    if (range === undefined) return this.#deleteLive(keyText(target.key), prev) ? 1 : 0;
    let deleted = 0;
    for (let from: KeyText | undefined = range.from; from !== undefined; ) {
      const walk = this.#walk({ from, to: range.to });
      for (const text of walk.alive) {
        this.#deleteLive(text, prev);
        deleted++;
        if (work.spend(1)) yield;
      }
      if (work.spend((walk.looked - walk.alive.length) / 4)) yield;
      from = walk.next;
    }
    return deleted;
  }

  /** Deletes those of the keys that are alive, because their lease ends. They are Latin-1 texts. */
  *deleteOfLease(texts: readonly KeyText[], work: Work): Generator<undefined, void> {
    for (const text of texts) {
      this.#deleteLive(text, undefined, "whole lease ends");
      if (work.spend(1)) yield;
    }
  }

  /** The events of this entry. Undefined: it has changed nothing. */
  events(): RevisionEvents | undefined {
    if (this.#changes === 0) return undefined;
    const revision = this.writeRevision;
    if (this.#changes === this.#events.length) return { revision, events: this.#events };
    return { revision, events: [], span: { from: this.#first, to: nextKey(this.#last) } };
  }

  #walk(range: KeyRange): {
    readonly alive: readonly KeyText[];
    readonly looked: number;
    readonly next: KeyText | undefined;
  } {
    const alive: KeyText[] = [];
    let looked = 0;
    let next: KeyText | undefined;
    this.index.scan(range, (text, history) => {
      if (history.isAlive()) alive.push(text);
      looked++;
      if (looked < keysPerWalk) return true;
      next = nextKey(text);
      return false;
    });
    return { alive, looked, next };
  }

  #deleteLive(text: KeyText, prev: PrevKvs | undefined, lease?: "whole lease ends"): boolean {
    const history = this.index.get(text);
    if (history === undefined || !history.isAlive()) return false;
    if (prev !== undefined && !prev.room.isExceeded) {
      const kv = this.row(history, history.count - 1);
      if (prev.room.take(kv.length)) prev.rows.push(kv);
      else prev.rows.clear();
    }
    const main = this.writeRevision;
    const sub = this.#changes;
    const key = keyBytes(text);
    this.index.delete(text, main, sub);
    this.#w.putNew(Bucket.key, encodeRevision(main, sub, true), tombstone(key, 0));
    if (lease === undefined) this.#leases.detach(key);
    else this.#leases.forget(text);
    this.#changed(
      this.#changes < this.#eventsMax
        ? { type: "delete", key, kv: tombstone(key, main), isCreate: false }
        : { type: "delete", key, kv: empty, isCreate: false },
    );
    return true;
  }

  /**
   * Notes a change. Beyond `eventsMax` changes, only their number and the span of their keys are
   * kept.
   */
  #changed(event: KvEvent): void {
    this.#changes++;
    if (this.#changes <= this.#eventsMax) {
      this.#events.push(event);
      return;
    }
    if (this.#events.length > 0) {
      for (const { key } of this.#events) this.#widen(keyText(key));
      this.#events = [];
    }
    this.#widen(keyText(event.key));
  }

  #widen(text: KeyText): void {
    if (this.#last === "" || text < this.#first) this.#first = text;
    if (text > this.#last) this.#last = text;
  }
}

/** The stored tombstone holds only the key. The event also has the revision. */
export function tombstone(key: Uint8Array, modRevision: number): KvBytes {
  return encodeKeyValue({
    key,
    createRevision: 0,
    modRevision,
    version: 0,
    value: empty,
    lease: 0n,
  });
}

/** Throws, because the index and the rows disagree: the backend lost a row. @throws DamageError */
export function missingRow(key: Uint8Array): never {
  const shown = Buffer.from(key).toString("hex");
  throw new DamageError({
    finding: `the row of revision ${shown} is missing: the backend is damaged`,
    advice: rebuildAdvice,
  });
}
