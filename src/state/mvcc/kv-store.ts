/**
 * The key space as readers see it: the state after the last applied entry. The rows, by revision,
 * are in the backend; the index of them is in memory. KvWriter and compactStep make the changes.
 */
import { KvError } from "../../base/errors.js";
import type { BackendReader } from "../../platform/backend.js";
import { Bucket } from "../../platform/rows.js";
import type { RangeRequest, TxnRequest } from "../../wire/gen/rpc.js";
import { decodeKeyValue } from "../../wire/key-value.js";
import type { Meta } from "../meta.js";
import { RowReader } from "../rows.js";
import type {
  HashKv,
  HistoryOptions,
  HistoryPlace,
  Job,
  KvBytes,
  KvEvent,
  KvReader,
  RangeOutcome,
  ReadJob,
  RevisionEvents,
  TxnOutcome,
} from "../types.js";
import { runThrough, Work } from "../work.js";
import { AnswerRoom } from "./answer-room.js";
import { CompactionHashes } from "./compaction-hash.js";
import { HashKvJob } from "./hash-kv.js";
import { buildIndex } from "./index-build.js";
import { type KeyHistory, KeyIndex, type KeyText, keyText } from "./key-index.js";
import type { KvView } from "./kv-view.js";
import { missingRow, tombstone } from "./kv-writer.js";
import { evaluateRange } from "./range.js";
import { decodeRevision, encodeRevision, revisionStart } from "./revision-key.js";
import { RowCache } from "./row-cache.js";
import { type ReadAtView, rangeReader, SlicedRead, txnReader } from "./sliced-read.js";

export class KvStore implements KvReader {
  readonly index = new KeyIndex();
  readonly rows: RowReader;
  readonly compactionHashes = new CompactionHashes();
  readonly #recent = new RowCache();
  readonly #meta: Meta;
  readonly #leaseOf: (key: KeyText) => bigint;

  /** True while an entry changes the index, which is then ahead of `meta`. */
  #isChanging = false;

  /**
   * `meta` is the machine's; it changes as entries are applied. `leaseOf`: the lease of a key's
   * newest version, 0n if it has none.
   */
  constructor(backend: BackendReader, meta: Meta, leaseOf: (key: KeyText) => bigint) {
    this.rows = new RowReader(backend);
    this.#meta = meta;
    this.#leaseOf = leaseOf;
  }

  /**
   * Builds the index from the rows, with pauses. Call it once, before all else. `attach` is called
   * for every live key with a lease.
   */
  restore(
    work: Work,
    attach: (key: Uint8Array, lease: bigint) => void,
  ): Generator<undefined, void> {
    return buildIndex(this.rows, this.index, { work, attach });
  }

  revision(): number {
    return this.#meta.revision;
  }

  compactRevision(): number {
    return Math.max(0, this.#meta.compactRevision);
  }

  finishedCompactRevision(): number {
    return Math.max(0, this.#meta.finishedCompactRevision);
  }

  /**
   * Call before an entry changes index and rows. Readers see none of its changes until `endChange`.
   */
  beginChange(): void {
    this.#isChanging = true;
    this.index.beginChange(this.#meta.revision);
  }

  endChange(): void {
    this.#isChanging = false;
    this.index.endChange();
  }

  range(request: RangeRequest): RangeOutcome {
    const room = AnswerRoom.ofRead();
    const way = { work: new Work(Number.POSITIVE_INFINITY), room };
    const outcome = runThrough(evaluateRange(this.#view(), request, way));
    if (room.isExceeded) throw new KvError("answerTooLarge");
    return outcome;
  }

  readRange(
    request: RangeRequest,
    { isPage = false, nowMs }: { readonly isPage?: boolean; readonly nowMs?: number } = {},
  ): ReadJob<RangeOutcome> {
    return this.#read(rangeReader(request, isPage), nowMs);
  }

  readTxn(request: TxnRequest): ReadJob<TxnOutcome> {
    return this.#read(txnReader(request));
  }

  #read<T extends RangeOutcome | TxnOutcome>(read: ReadAtView<T>, nowMs?: number): ReadJob<T> {
    return new SlicedRead(this.#view(nowMs), read, () => this.#meta.compactRevision);
  }

  kvAt(key: Uint8Array, revision: number): KvBytes | undefined {
    const history = this.index.get(keyText(key));
    const place = history?.liveAt(revision) ?? -1;
    return history === undefined || place < 0 ? undefined : this.#row(history, place);
  }

  history(options: HistoryOptions, visit: (events: RevisionEvents) => void): HistoryPlace {
    const { from, fromSub = 0, to, revisionsMax, eventsMax = Number.MAX_SAFE_INTEGER } = options;
    if (from < this.#meta.compactRevision) throw new KvError("compacted");
    let next: HistoryPlace = { revision: to, sub: 0 };
    let visited = 0;
    let left = eventsMax;
    let events: KvEvent[] = [];
    let revision = 0;
    const hand = (): void => {
      if (events.length > 0) visit({ revision, events });
      visited++;
      events = [];
    };
    const range = { from: encodeRevision(from, fromSub, false), to: revisionStart(to) };
    this.rows.scan(Bucket.key, range, (rowKey, value) => {
      const row = decodeRevision(rowKey);
      const isNew = row.main !== revision;
      if (isNew && revision !== 0) hand();
      if ((isNew && visited >= revisionsMax) || left-- <= 0) {
        next = { revision: row.main, sub: isNew ? 0 : row.sub };
        return false;
      }
      revision = row.main;
      events.push(eventOf(row.main, row.isTombstone, value));
      return true;
    });
    if (events.length > 0) hand();
    return next;
  }

  hashKv(revision: number): Job<HashKv> {
    // As in etcd, the hash of a revision that was compacted is the one from before its compaction.
    const known = this.compactionHashes
      .all()
      .find(({ hashRevision }) => revision > 0 && hashRevision === revision);
    if (known !== undefined) return { step: () => known };
    return new HashKvJob({ rows: this.rows, index: this.index, meta: this.#meta }, revision);
  }

  compactions(): readonly HashKv[] {
    return this.compactionHashes.all();
  }

  keyCount(): number {
    return this.#isChanging ? this.index.formerlyAlive() : this.index.aliveCount();
  }

  /** A view of the current revision; it stays at that revision. Without `nowMs` it reads each row. */
  #view(nowMs?: number): KvView {
    const { revision, compactRevision } = this.#meta;
    return {
      index: this.index,
      revision,
      compactRevision,
      row: (history, place) => this.#row(history, place),
      rowAt: (main, sub) =>
        nowMs === undefined ? this.#rowAt(main, sub) : this.#recentRow(main, sub, nowMs),
      leaseOf: this.#leaseOf,
      countAlive: (range) => {
        if (this.#meta.revision !== revision) return undefined;
        return this.#isChanging ? this.index.formerlyAliveIn(range) : this.index.aliveIn(range);
      },
    };
  }

  #row(history: KeyHistory, place: number): KvBytes {
    return this.#rowAt(history.main(place), history.sub(place));
  }

  #rowAt(main: number, sub: number): KvBytes {
    const key = encodeRevision(main, sub, false);
    return this.rows.get(Bucket.key, key) ?? missingRow(key);
  }

  #recentRow(main: number, sub: number, nowMs: number): KvBytes {
    const known = this.#recent.get(main, sub, nowMs);
    if (known !== undefined) return known;
    const row = this.#rowAt(main, sub);
    this.#recent.add(main, sub, row, nowMs);
    return row;
  }
}

function eventOf(main: number, isTombstone: boolean, value: Uint8Array): KvEvent {
  const kv = decodeKeyValue(value);
  if (isTombstone) {
    return { type: "delete", key: kv.key, kv: tombstone(kv.key, main), isCreate: false };
  }
  return { type: "put", key: kv.key, kv: value, isCreate: kv.version === 1 };
}
