/** Helpers for the tests of backend.ts's contract. */
import { expect } from "vitest";
import type { Backend, BackendReader, BackendStore } from "./backend.js";
import { Bucket, type RowWrite } from "./rows.js";

/** A fresh, empty place for backends. */
export interface BackendPlace {
  readonly store: BackendStore;
  /** A new store over the same place. All backends of the former store are closed. */
  reopen(): BackendStore;
  dispose(): void;
}

export type Within = (body: (place: BackendPlace) => Promise<void>) => Promise<void>;

/** Rows as a list, so that a row shown twice or out of order is a difference. */
export function rowsOf(reader: BackendReader): [string, string][] {
  return [Bucket.meta, Bucket.key].flatMap((bucket) =>
    scanAll(reader, bucket).map(([key, value]): [string, string] => [bucket + key, value]),
  );
}

/** All rows of a bucket. A scan that lends them must show the same. */
export function scanAll(
  reader: BackendReader,
  bucket: Bucket,
  reverse = false,
): [string, string][] {
  const all = (isLent: boolean): [string, string][] => {
    const rows: [string, string][] = [];
    reader.scan(bucket, { from: new Uint8Array(0), reverse, isLent }, (key, value) => {
      rows.push([hex(key), hex(value)]);
      return true;
    });
    return rows;
  };
  const rows = all(false);
  expect(all(true)).toEqual(rows);
  return rows;
}

export function put(bucket: Bucket, key: Uint8Array, value: Uint8Array): RowWrite {
  return { bucket, key, value };
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** Faster than toEqual on large values. */
export function expectBytes(
  actual: Uint8Array | undefined,
  expected: Uint8Array | undefined,
): void {
  expect(actual === undefined).toBe(expected === undefined);
  if (actual === undefined || expected === undefined) return;
  expect(actual.length).toBe(expected.length);
  expect(Buffer.compare(actual, expected)).toBe(0);
}

export function commit(backend: Backend, completed: () => void = () => {}): Promise<void> {
  return new Promise((resolve, reject) => {
    backend.commit((error) => {
      if (error !== undefined) {
        reject(error);
        return;
      }
      try {
        completed();
        resolve();
      } catch (failure) {
        reject(failure);
      }
    });
  });
}

export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

export function copyTo(backend: Backend, into: string): Promise<Error | undefined> {
  return new Promise((resolve) => {
    backend.copyTo(into, resolve);
  });
}

export function close(backend: Backend): Promise<void> {
  return new Promise((resolve) => {
    backend.close(resolve);
  });
}
