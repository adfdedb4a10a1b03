/**
 * Copies a frozen view into a fresh LMDB file, row by row (made.ts says why it does not use
 * the package's own copy). It works in slices of a few milliseconds, each a transaction, and other
 * events are served in between. Rows come in key order and are appended, so the pages of the copy
 * are full. The copy is synced once, at the end.
 */
import { open as openFileHandle } from "node:fs/promises";
import { performance } from "node:perf_hooks";
import { copyBytes } from "../../../base/bytes.js";
import { DamageError } from "../../../base/errors.js";
import type { BackendSnapshot } from "../../backend.js";
import { Bucket } from "../../rows.js";
import { causeOf, openFile, writeAll } from "./env.js";
import { markKey, markOf } from "./made.js";

const sliceMs = 2;
const sliceBytes = 1024 * 1024;
const firstKey = new Uint8Array(0);
const append = { append: true } as unknown as number;

/** `name`: the backend's, for its mark. Gives up, with an error, when `isWanted` says no. */
export async function copyRows(
  view: BackendSnapshot,
  into: { readonly path: string; readonly name: string },
  isWanted: () => boolean,
): Promise<void> {
  const { root, buckets } = openFile(into.path, false);
  try {
    for (const bucket of Object.values(Bucket)) {
      const rows = buckets[bucket] as (typeof buckets)[number];
      let from: Uint8Array | undefined = firstKey;
      while (from !== undefined) {
        if (!isWanted()) throw new Error("the backend was closed before this copy was complete");
        from = await slice(view, { root, rows, bucket, from });
      }
    }
    await writeAll(root, (written) => written(root.put(markKey, markOf(into.name))));
  } catch (error) {
    if (error instanceof DamageError) throw error;
    throw new Error(`cannot copy the backend to ${into.path}: ${await causeOf(error)}`, {
      cause: error,
    });
  } finally {
    await root.close();
  }
  const file = await openFileHandle(into.path, "r+");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

type Opened = ReturnType<typeof openFile>;

/**
 * Copies one slice in one transaction. Returns the key where the next one begins. Undefined: the
 * bucket is complete.
 */
async function slice(
  view: BackendSnapshot,
  at: {
    readonly root: Opened["root"];
    readonly rows: Opened["buckets"][number];
    readonly bucket: Bucket;
    readonly from: Uint8Array;
  },
): Promise<Uint8Array | undefined> {
  let next: Uint8Array | undefined;
  const results: Promise<boolean>[] = [];
  const endMs = performance.now() + sliceMs;
  let bytes = 0;
  await writeAll(at.root, (written) => {
    view.scan(at.bucket, { from: at.from }, (key, value) => {
      if (bytes > 0 && (bytes >= sliceBytes || performance.now() >= endMs)) {
        next = copyBytes(key);
        return false;
      }
      bytes += key.length + value.length;
      const result = at.rows.put(key, value, append);
      written(result);
      results.push(result);
      return true;
    });
  });
  // LMDB does not append a key that is not above the one before it.
  if ((await Promise.all(results)).includes(false)) {
    throw new DamageError({
      finding: "the rows of the backend are not in the order of their keys",
    });
  }
  return next;
}
