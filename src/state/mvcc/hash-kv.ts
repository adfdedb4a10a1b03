/**
 * etcd's HashKV: CRC-32C over the bucket's name and every row up to a revision that still counts,
 * key then value. Rows at or below the compact revision count only if a reader at the hashed
 * revision would see them; a tombstone at exactly the compact revision never does.
 *
 * If no key is alive at that revision, etcd skips no row, because it takes an empty set of kept
 * rows for none at all. This code does the same.
 *
 * The hash is computed in pieces. A compaction in between changes which rows count, so the work
 * then begins again.
 */
import { copyBytes } from "../../base/bytes.js";
import { crc32c } from "../../base/crc32c.js";
import { KvError } from "../../base/errors.js";
import { Bucket } from "../../platform/rows.js";
import { decodeKeyValue } from "../../wire/key-value.js";
import { type RowReader, rowCrc } from "../rows.js";
import type { HashKv, Job } from "../types.js";
import { type KeyIndex, keyText } from "./key-index.js";
import { decodeRevision, revisionStart } from "./revision-key.js";

export interface HashSource {
  readonly rows: RowReader;
  readonly index: KeyIndex;
  /** The machine's meta; it changes as entries are applied. */
  readonly meta: { readonly revision: number; readonly compactRevision: number };
}

const nothing = new Uint8Array(0);
/** What a row costs, in units of state/work.ts: less than elsewhere, since little is done with it. */
const rowUnits = 1 / 4;
const byteUnits = 1 / 2048;
const bucketHash = crc32c(new TextEncoder().encode("key"));

export class HashKvJob implements Job<HashKv> {
  readonly #source: HashSource;
  readonly #revision: number;
  #compactRevision = 0;
  #keepsAny = false;
  #hash = bucketHash;
  /** The next row to look at. */
  #next: Uint8Array = nothing;

  /** `revision` 0: the current one. @throws KvError compacted, futureRevision */
  constructor(source: HashSource, revision: number) {
    this.#source = source;
    const current = source.meta.revision;
    if (revision > current) throw new KvError("futureRevision");
    this.#revision = revision <= 0 ? current : revision;
    this.#begin();
  }

  step(units: number): HashKv | undefined {
    if (this.#source.meta.compactRevision !== this.#compactRevision) this.#begin();
    let left = units;
    let isOver = true;
    this.#source.rows.scan(
      Bucket.key,
      { from: this.#next, to: revisionStart(this.#revision + 1), isLent: true },
      (key, value, check) => {
        if (left <= 0) {
          this.#next = copyBytes(key);
          isOver = false;
          return false;
        }
        left -= rowUnits + value.length * byteUnits;
        if (this.#counts(key, value)) {
          this.#hash = rowCrc({ bucket: Bucket.key, key, value, check }, this.#hash);
        }
        return true;
      },
    );
    if (!isOver) return undefined;
    return {
      hash: this.#hash,
      compactRevision: this.#compactRevision,
      hashRevision: this.#revision,
    };
  }

  #begin(): void {
    this.#compactRevision = this.#source.meta.compactRevision;
    if (this.#revision < this.#compactRevision) throw new KvError("compacted");
    this.#hash = bucketHash;
    this.#next = nothing;
    this.#keepsAny = this.#isAnyAlive();
  }

  #isAnyAlive(): boolean {
    let found = false;
    this.#source.index.scan({ from: "", to: undefined }, (_key, history) => {
      found = history.liveAt(this.#revision) >= 0;
      return !found;
    });
    return found;
  }

  #counts(rowKey: Uint8Array, value: Uint8Array): boolean {
    const { main, sub, isTombstone } = decodeRevision(rowKey);
    if (main > this.#compactRevision) return true;
    if (isTombstone && main === this.#compactRevision) return false;
    if (!this.#keepsAny) return true;
    const history = this.#source.index.get(keyText(decodeKeyValue(value).key));
    const place = history?.liveAt(this.#revision) ?? -1;
    return place >= 0 && history?.main(place) === main && history.sub(place) === sub;
  }
}
