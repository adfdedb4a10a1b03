/**
 * HashKV of the keys in a backup: the hash that a member of etcd, or of this store, gives for them.
 */
import { compareBytes } from "../base/bytes.js";
import { KvError } from "../base/errors.js";
import type { BackendReader } from "../platform/backend.js";
import { Bucket } from "../platform/rows.js";
import { emptyMeta } from "../state/meta.js";
import { KvStore } from "../state/mvcc/kv-store.js";
import { sealRow } from "../state/rows.js";
import type { HashKv } from "../state/types.js";
import { runThrough, Work } from "../state/work.js";
import type { EtcdBackendFile } from "./backend-file.js";
import { EtcdFileError } from "./file-error.js";
import { importedRows } from "./imported-rows.js";

/** Computes the hash at `revision`; 0: the last one. @throws EtcdFileError, BboltError */
export function hashOfFile(file: EtcdBackendFile, revision: number): HashKv {
  const checked = importedRows(file);
  let step = checked.next();
  while (step.done !== true) step = checked.next();
  const kv = new KvStore(keysOf(file), { ...emptyMeta(), ...step.value }, () => 0n);
  // One pass: each scan reads the file from its beginning.
  runThrough(kv.restore(new Work(Number.POSITIVE_INFINITY), () => {}));
  try {
    const hash = kv.hashKv(revision).step(Number.MAX_SAFE_INTEGER);
    if (hash === undefined || hash instanceof KvError)
      throw new EtcdFileError("the hash was not found");
    return { ...hash, compactRevision: Math.max(0, hash.compactRevision) };
  } catch (error) {
    if (error instanceof KvError) throw new EtcdFileError(error.message);
    throw error;
  }
}

/** The file as a backend with the rows of bucket key. */
function keysOf(file: EtcdBackendFile): BackendReader {
  return {
    get(bucket, wanted) {
      for (const { key, value } of file.rows("key")) {
        if (bucket === Bucket.key && compareBytes(key, wanted) === 0)
          return sealRow(bucket, key, value);
      }
      return undefined;
    },
    scan(bucket, { from, to }, visit) {
      if (bucket !== Bucket.key) return;
      for (const { key, value } of file.rows("key")) {
        if (compareBytes(key, from) < 0 || value.length === 0) continue;
        if (to !== undefined && compareBytes(key, to) >= 0) return;
        if (!visit(key, sealRow(bucket, key, value))) return;
      }
    },
  };
}
