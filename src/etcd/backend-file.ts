/**
 * Reads etcd's backend file: a saved snapshot, or member/snap/db of a data directory. A saved snapshot
 * ends with the SHA-256 of all bytes before it; its size tells that it does, because pages have a
 * multiple of 512 bytes.
 */
import { equalBytes } from "../base/bytes.js";
import {
  type BboltFile,
  type BucketPlace,
  type ByteSource,
  openBbolt,
  type Row,
} from "../bbolt/reader.js";
import type { Hash } from "../platform/hash.js";
import { decodeRevision } from "../state/mvcc/revision-key.js";
import { EtcdFileError } from "./file-error.js";
import { type EtcdBucket, MetaKey, textOf } from "./schema.js";

const hashBytes = 32;
const sectorBytes = 512;
const pieceBytes = 1024 * 1024;

/** What the file's bucket meta says. */
export interface BackendFacts {
  /** The index of the last log entry that the rows include. 0: none is named. */
  readonly consistentIndex: number;
  readonly term: number;
  /** -1: no compaction. */
  readonly scheduledCompact: number;
  readonly finishedCompact: number;
  /** The storage version, like "3.6.0"; empty before etcd 3.6. */
  readonly storageVersion: string;
}

export class EtcdBackendFile {
  readonly file: BboltFile;
  readonly #source: ByteSource;

  /** @throws BboltError */
  constructor(source: ByteSource) {
    this.#source = source;
    this.file = openBbolt(source);
  }

  /** Checks the hash at the end of a saved snapshot. @throws EtcdFileError */
  checkHash(hash: Hash): void {
    const { size } = this.#source;
    if (size % sectorBytes !== hashBytes) {
      throw new EtcdFileError(
        "snapshot missing hash but --skip-hash-check=false: only a file that `snapshot save` made has one, a copy of a data directory's file has not",
      );
    }
    const end = size - hashBytes;
    const stream = hash.createSha256();
    for (let at = 0; at < end; at += pieceBytes) {
      stream.update(this.#source.read(at, Math.min(pieceBytes, end - at)));
    }
    const [wanted, found] = [this.#source.read(end, hashBytes), stream.digest()];
    if (!equalBytes(wanted, found)) {
      throw new EtcdFileError(
        `expected sha256 ${hexOf(wanted)}, got ${hexOf(found)}: the file was changed or cut since it was saved; take another backup`,
      );
    }
  }

  /** The rows of a bucket, by key. None if the file lacks the bucket. @throws BboltError */
  *rows(name: EtcdBucket): Generator<Row> {
    const walk = this.file.walk();
    let place: BucketPlace | undefined;
    for (const bucket of walk.buckets()) if (textOf(bucket.name) === name) place = bucket;
    if (place !== undefined) yield* walk.rows(place);
  }

  /** @throws BboltError, EtcdFileError */
  facts(): BackendFacts {
    const rows = new Map<string, Uint8Array>();
    let isEtcd = false;
    for (const bucket of this.file.walk().buckets())
      if (textOf(bucket.name) === "key") isEtcd = true;
    if (!isEtcd)
      throw new EtcdFileError('the file has no bucket "key": it is no backend of etcd 3');
    for (const { key, value } of this.rows("meta")) rows.set(textOf(key), value);
    const number = (key: string): number => {
      const value = rows.get(key);
      if (value === undefined) return 0;
      if (value.length !== 8) throw new EtcdFileError(`"${key}" has ${value.length} bytes, not 8`);
      return Number(new DataView(value.buffer, value.byteOffset, 8).getBigUint64(0));
    };
    const revision = (key: string): number => {
      const value = rows.get(key);
      if (value === undefined) return -1;
      if (value.length < 17) throw new EtcdFileError(`"${key}" is no revision`);
      return decodeRevision(value).main;
    };
    return {
      consistentIndex: number(MetaKey.consistentIndex),
      term: number(MetaKey.term),
      scheduledCompact: revision(MetaKey.scheduledCompact),
      finishedCompact: revision(MetaKey.finishedCompact),
      storageVersion: textOf(rows.get(MetaKey.storageVersion) ?? new Uint8Array(0)),
    };
  }
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
