/**
 * For tests only: the rows of all buckets in memory, as both WriteHandle and BackendReader. Counts
 * writes, so that a test can tell that a refused command wrote nothing.
 */
import { copyBytes } from "../base/bytes.js";
import type { BackendReader } from "../platform/backend.js";
import type { Bucket } from "../platform/rows.js";
import type { WriteHandle } from "./types.js";

export class Rows implements WriteHandle, BackendReader {
  writes = 0;
  readonly #rows = new Map<string, { key: Uint8Array; value: Uint8Array }>();

  get(bucket: Bucket, key: Uint8Array): Uint8Array | undefined {
    return this.#rows.get(place(bucket, key))?.value;
  }

  put(bucket: Bucket, key: Uint8Array, value: Uint8Array): void {
    this.writes += 1;
    this.#rows.set(place(bucket, key), { key: copyBytes(key), value: copyBytes(value) });
  }

  delete(bucket: Bucket, key: Uint8Array): void {
    this.writes += 1;
    this.#rows.delete(place(bucket, key));
  }

  scan(
    bucket: Bucket,
    range: { from: Uint8Array; to?: Uint8Array | undefined; reverse?: boolean },
    visit: (key: Uint8Array, value: Uint8Array) => boolean,
  ): void {
    const from = place(bucket, range.from);
    const to = range.to === undefined ? place((bucket + 1) as Bucket, []) : place(bucket, range.to);
    const places = [...this.#rows.keys()].filter((at) => at >= from && at < to).sort();
    if (range.reverse === true) places.reverse();
    for (const at of places) {
      const row = this.#rows.get(at);
      if (row !== undefined && !visit(row.key, row.value)) return;
    }
  }

  /** "key=value" of one bucket in hexadecimal, in byte order. */
  dump(bucket: Bucket): string[] {
    const shown: string[] = [];
    this.scan(bucket, { from: new Uint8Array(0) }, (key, value) => {
      shown.push(`${Buffer.from(key).toString("hex")}=${Buffer.from(value).toString("hex")}`);
      return true;
    });
    return shown;
  }
}

function place(bucket: Bucket, key: Uint8Array | readonly number[]): string {
  return String.fromCharCode(bucket) + Buffer.from(key).toString("latin1");
}
