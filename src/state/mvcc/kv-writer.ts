/**
 * Changes of the key space by one entry: all get the same main revision, each its own sub revision.
 * Reads through the writer see what it has written. Nothing here checks: callers do, before the
 * first change.
 */
import { DamageError } from "../../base/errors.js";
import { Bucket } from "../../platform/backend.js";
import { encodeKeyValue } from "../../wire/key-value.js";
import type { EntryWrite } from "../entry-write.js";
import type { LeaseTable } from "../lease/lease-table.js";
import type { KvBytes, KvEvent, RevisionEvents } from "../types.js";
import { type KeyHistory, type KeyIndex, type KeyText, keyBytes, keyText } from "./key-index.js";
import { type KvView, keyRange } from "./range.js";
import { encodeRevision } from "./revision-key.js";

const empty = new Uint8Array(0);

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
  readonly #events: KvEvent[] = [];

  constructor(
    w: EntryWrite,
    parts: { readonly index: KeyIndex; readonly leases: LeaseTable },
    base: { readonly revision: number; readonly compactRevision: number },
  ) {
    this.#w = w;
    this.index = parts.index;
    this.#leases = parts.leases;
    this.#base = base.revision;
    this.compactRevision = base.compactRevision;
  }

  /** The revision before this entry, or its own once it changed something. */
  get revision(): number {
    return this.#events.length > 0 ? this.#base + 1 : this.#base;
  }

  /** The revision that a write of this entry has. */
  get writeRevision(): number {
    return this.#base + 1;
  }

  row(history: KeyHistory, place: number): KvBytes {
    const key = encodeRevision(history.main(place), history.sub(place), false);
    return this.#w.get(Bucket.key, key) ?? missingRow(key);
  }

  /** The live KeyValue of a key now. */
  current(key: Uint8Array): KvBytes | undefined {
    const history = this.index.get(keyText(key));
    if (history === undefined || !history.isAlive()) return undefined;
    return this.row(history, history.count - 1);
  }

  put(fields: PutFields): void {
    const main = this.writeRevision;
    const sub = this.#events.length;
    const { key, value, lease } = fields;
    const history = this.index.put(keyText(key), main, sub);
    const { createRevision, version } = history;
    const kv = encodeKeyValue({ key, createRevision, modRevision: main, version, value, lease });
    this.#w.putNew(Bucket.key, encodeRevision(main, sub, false), kv);
    if (lease === 0n) this.#leases.detach(key);
    else this.#leases.attach(key, lease);
    this.#events.push({ type: "put", key, kv, isCreate: version === 1 });
  }

  /** Deletes the live keys of a range; returns how many. `prevKvs`, if given, gets their values. */
  deleteRange(key: Uint8Array, rangeEnd: Uint8Array, prevKvs?: KvBytes[]): number {
    const doomed: { readonly text: KeyText; readonly history: KeyHistory }[] = [];
    const range = keyRange(key, rangeEnd);
    if (range === undefined) {
      const text = keyText(key);
      const history = this.index.get(text);
      if (history?.isAlive()) doomed.push({ text, history });
    } else {
      this.index.scan(range, (text, history) => {
        if (history.isAlive()) doomed.push({ text, history });
        return true;
      });
    }
    for (const { text, history } of doomed) {
      prevKvs?.push(this.row(history, history.count - 1));
      this.#deleteKey(text);
    }
    return doomed.length;
  }

  /** Undefined when nothing changed. */
  events(): RevisionEvents | undefined {
    if (this.#events.length === 0) return undefined;
    return { revision: this.writeRevision, events: this.#events };
  }

  #deleteKey(text: KeyText): void {
    const main = this.writeRevision;
    const sub = this.#events.length;
    const key = keyBytes(text);
    this.index.delete(text, main, sub);
    this.#w.putNew(Bucket.key, encodeRevision(main, sub, true), tombstone(key, 0));
    this.#leases.detach(key);
    this.#events.push({ type: "delete", key, kv: tombstone(key, main), isCreate: false });
  }
}

/** The stored tombstone holds only the key; the event also tells the revision. */
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

/** The index and the rows disagree: the backend lost a row. */
export function missingRow(key: Uint8Array): never {
  const shown = Buffer.from(key).toString("hex");
  throw new DamageError(
    `the row of revision ${shown} is missing: the backend is damaged. Remove this member from the cluster and add it anew with an empty data directory`,
  );
}
