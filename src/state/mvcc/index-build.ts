/**
 * Builds the key index from the rows, with pauses: a store of millions of keys takes seconds. No
 * step has a cost that grows with the number of keys, such as a growing hash table or a whole sort.
 */
import { Bucket } from "../../platform/rows.js";
import { decodeKeyValue } from "../../wire/key-value.js";
import { type RowReader, scanInSlices } from "../rows.js";
import { sortInSlices } from "../sort-in-slices.js";
import type { Work } from "../work.js";
import { KeyHistory, type KeyIndex, type KeyText, keyBytes, keyText } from "./key-index.js";
import { decodeRevision } from "./revision-key.js";

/** A version of a key that was written with a lease. */
interface Leased {
  readonly text: KeyText;
  readonly main: number;
  readonly sub: number;
  readonly lease: bigint;
}

/** Handling a text costs far less than reading a row. */
const textUnits = 1 / 8;

/** `index` must be empty. `attach` is called for every live key with a lease. @throws DamageError */
export function* buildIndex(
  rows: RowReader,
  index: KeyIndex,
  { work, attach }: { readonly work: Work; attach(key: Uint8Array, lease: bigint): void },
): Generator<undefined, void> {
  const histories = new Histories();
  const leased: Leased[] = [];
  yield* scanInSlices(rows, { bucket: Bucket.key, work }, (rowKey, value) => {
    const { main, sub, isTombstone } = decodeRevision(rowKey);
    const kv = decodeKeyValue(value);
    const text = keyText(kv.key);
    const history = histories.of(text);
    if (isTombstone) {
      history.delete(main, sub);
      return;
    }
    history.put(main, sub);
    // The first rows of this life may be compacted away, so the values come from the row.
    history.createRevision = kv.createRevision;
    history.version = kv.version;
    if (kv.lease !== 0n) leased.push({ text, main, sub, lease: kv.lease });
  });
  const texts: KeyText[] = [];
  for (const text of histories.texts()) {
    texts.push(text);
    if (work.spend(textUnits)) yield;
  }
  const sorted = yield* sortInSlices(texts, work);
  yield* index.load(sorted, (text) => histories.of(text), work);
  for (const { text, main, sub, lease } of leased) {
    const history = histories.of(text);
    // Only a key's newest version counts. The lease of an older one may have ended.
    const newest = history.count - 1;
    const isNewest = history.main(newest) === main && history.sub(newest) === sub;
    if (isNewest && history.isAlive()) attach(keyBytes(text), lease);
    if (work.spend(textUnits)) yield;
  }
}

const shardCount = 1_024;

/** Histories by key, in many small maps: one that grows to millions is copied in one step. */
class Histories {
  readonly #shards = Array.from({ length: shardCount }, () => new Map<KeyText, KeyHistory>());

  /** A new one if the key is not known yet. */
  of(text: KeyText): KeyHistory {
    const shard = this.#shards[shardOf(text)] as Map<KeyText, KeyHistory>;
    const known = shard.get(text);
    if (known !== undefined) return known;
    const history = new KeyHistory();
    shard.set(text, history);
    return history;
  }

  *texts(): Generator<KeyText, void> {
    for (const shard of this.#shards) yield* shard.keys();
  }
}

/** Keys mostly differ at their ends. */
function shardOf(text: KeyText): number {
  let hash = text.length;
  for (let at = Math.max(0, text.length - 6); at < text.length; at++) {
    hash = (hash * 31 + text.charCodeAt(at)) | 0;
  }
  return hash & (shardCount - 1);
}
