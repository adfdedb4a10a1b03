/**
 * Turns the rows of etcd's backend into rows of a first state here. Every row is checked for its
 * form, because no log will make this state again. Members and their configuration are left out: a
 * restored member begins a new cluster.
 */

import { equalBytes } from "../base/bytes.js";
import { InvariantViolation } from "../base/invariant.js";
import { Bucket } from "../platform/rows.js";
import {
  decodeRole,
  decodeUser,
  enabledKey,
  nameBytesMax,
  revisionKey,
} from "../state/auth/auth-rows.js";
import { decodeLeaseRow } from "../state/lease/lease-row.js";
import { decodeRevision, encodeRevision } from "../state/mvcc/revision-key.js";
import { decodeKeyValue } from "../wire/key-value.js";
import type { EtcdBackendFile } from "./backend-file.js";
import { EtcdFileError } from "./file-error.js";

export interface ImportedRow {
  readonly bucket: Bucket;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

export interface ImportedRevisions {
  readonly revision: number;
  readonly compactRevision: number;
  readonly finishedCompactRevision: number;
}

/**
 * Gives the rows to take over. Returns the revisions that go with them. @throws EtcdFileError,
 * BboltError
 */
export function* importedRows(file: EtcdBackendFile): Generator<ImportedRow, ImportedRevisions> {
  const { scheduledCompact, finishedCompact } = file.facts();
  let last = 1;
  for (const { key, value } of file.rows("key")) {
    last = checkKeyRow(key, value);
    // `etcdutl snapshot restore --bump-revision` raises the revision by such a row.
    if (value.length > 0) yield { bucket: Bucket.key, key, value };
  }
  for (const { key, value } of file.rows("lease")) {
    checkLeaseRow(key, value);
    yield { bucket: Bucket.lease, key, value };
  }
  yield* authRows(file);
  for (const { key } of file.rows("alarm")) {
    yield { bucket: Bucket.alarm, key, value: new Uint8Array(0) };
  }
  const compactRevision = Math.max(scheduledCompact, finishedCompact);
  return {
    // A compaction may have removed the rows of the last revisions.
    revision: Math.max(last, compactRevision),
    compactRevision,
    finishedCompactRevision: finishedCompact,
  };
}

/** Users, roles, whether auth is on, and its revision: etcd's rows as they are. */
function* authRows(file: EtcdBackendFile): Generator<ImportedRow> {
  for (const { key, value } of file.rows("auth")) {
    // etcd has no other rows here.
    const isEnabled = equalBytes(key, enabledKey) && value.length === 1;
    const isRevision = equalBytes(key, revisionKey) && value.length === 8;
    if (!isEnabled && !isRevision) {
      throw new EtcdFileError('bucket "auth" has a row of an unknown form: the file is damaged');
    }
    yield { bucket: Bucket.auth, key, value };
  }
  for (const { key, value } of file.rows("authUsers")) {
    checkName("user", key, read("a user", () => decodeUser(value)).name);
    yield { bucket: Bucket.authUsers, key, value };
  }
  for (const { key, value } of file.rows("authRoles")) {
    checkName("role", key, read("a role", () => decodeRole(value)).name);
    yield { bucket: Bucket.authRoles, key, value };
  }
}

function checkName(what: string, key: Uint8Array, name: string): void {
  const asBytes = new TextEncoder().encode(name);
  if (!equalBytes(key, asBytes)) {
    throw new EtcdFileError(`the row of ${what} "${name}" has another key: the file is damaged`);
  }
  if (key.length > nameBytesMax) {
    throw new EtcdFileError(
      `the name of a ${what} has ${key.length} bytes, more than the ${nameBytesMax} that this build takes: give the ${what} a shorter name in etcd first`,
    );
  }
}

/** Checks a row of the key space. Returns its main revision. */
function checkKeyRow(key: Uint8Array, value: Uint8Array): number {
  const { main, sub, isTombstone } = decodeRevision(key);
  const isSafe = Number.isSafeInteger(main) && Number.isSafeInteger(sub) && main > 0;
  if (!isSafe || !equalBytes(key, encodeRevision(main, sub, isTombstone))) {
    throw new EtcdFileError('a key in bucket "key" is no revision: the file is damaged');
  }
  if (value.length === 0) return main;
  const place = `revision ${main}.${sub}`;
  const kv = read(place, () => decodeKeyValue(value));
  if (!isTombstone && kv.modRevision !== main) {
    throw new EtcdFileError(
      `the row of ${place} says revision ${kv.modRevision}: the file is damaged`,
    );
  }
  return main;
}

function checkLeaseRow(key: Uint8Array, value: Uint8Array): void {
  const lease = read("a lease", () => decodeLeaseRow(value));
  const isSame =
    key.length === 8 && new DataView(key.buffer, key.byteOffset, 8).getBigInt64(0) === lease.id;
  if (!isSame)
    throw new EtcdFileError(`the row of lease ${lease.id} has another id: the file is damaged`);
}

function read<T>(what: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof InvariantViolation) && !(error instanceof Error)) throw error;
    throw new EtcdFileError(
      `the row of ${what} cannot be read (${error.message}): the file is damaged`,
    );
  }
}
