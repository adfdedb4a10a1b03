/** Whole bbolt files in memory, for tests. */
import { FilePlan } from "./layout.js";
import type { ByteSource, Row } from "./reader.js";
import { FileWriter } from "./writer.js";

export type Buckets = readonly { readonly name: string; readonly rows: readonly Row[] }[];

/** Makes a file of these buckets. Buckets and rows must ascend. */
export function fileOf(buckets: Buckets): Uint8Array {
  const plan = new FilePlan();
  for (const { name, rows } of buckets) {
    plan.begin(new TextEncoder().encode(name));
    for (const { key, value } of rows) plan.add(key.length, value.length);
    plan.end();
  }
  const layout = plan.finish();
  const writer = new FileWriter(layout);
  const parts: Uint8Array[] = [writer.head()];
  buckets.forEach(({ rows }, place) => {
    const bucket = writer.bucket(place);
    for (const { key, value } of rows) {
      const page = bucket.add(key, value);
      if (page !== undefined) parts.push(page);
    }
    parts.push(...bucket.branches());
  });
  parts.push(writer.tail());
  return new Uint8Array(Buffer.concat(parts));
}

/**
 * Makes a source of these bytes. `largest` tells the most bytes that a reader asked for at once.
 */
export function sourceOf(bytes: Uint8Array): ByteSource & { largest: number } {
  return {
    size: bytes.length,
    largest: 0,
    read(at, length) {
      this.largest = Math.max(this.largest, length);
      return bytes.slice(at, at + length);
    },
  };
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
