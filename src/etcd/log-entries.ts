/**
 * Applies entries of etcd's log to a state here. Requests have the same form in both, and the same
 * effect. Changes of the members and of the cluster's version, reads, and what etcd keeps for its
 * v2 API are skipped: the restored member begins a cluster of its own. Skipped entries still take
 * their index.
 */
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { InvariantViolation } from "../base/invariant.js";
import { EntryType } from "../raft/types.js";
import type { Machine } from "../state/apply.js";
import { RequestField } from "../wire/proposal.js";
import { EtcdFileError } from "./file-error.js";
import type { EtcdLogEntry } from "./log-files.js";

export interface AppliedEntries {
  readonly applied: number;
  readonly passedOver: number;
}

const nothing = new Uint8Array(0);
/** Requests about the cluster's own members and version. */
const clusterFields: ReadonlySet<number> = new Set([
  RequestField.clusterVersionSet,
  RequestField.clusterMemberAttrSet,
  RequestField.downgradeInfoSet,
]);
const ownFields: ReadonlySet<number> = new Set([
  RequestField.compactStep,
  RequestField.integrityVerdict,
]);
const contentFields: ReadonlySet<number> = new Set(
  Object.values(RequestField).filter((field) => !clusterFields.has(field) && !ownFields.has(field)),
);
const oldIdField = 1;
const v2Field = 2;
const headerField = 100;
/** Of InternalRaftRequest: range, authenticate, auth_status, what lists and shows users and roles, a test of etcd's. */
const reads = [3, 1012, 1013, 1102, 1106, 1107, 1202, 9900];
/** Fields of requests that are skipped. etcd puts some reads into its log; they change nothing. */
const passedOverFields: ReadonlySet<number> = new Set([...reads, ...clusterFields]);

/** @throws EtcdFileError for a request that this build does not know, or cannot read */
export function applyLogEntries(
  machine: Machine,
  entries: readonly EtcdLogEntry[],
): AppliedEntries {
  let applied = 0;
  for (const entry of entries) {
    const data = contentOf(entry);
    if (data.length > 0) applied++;
    const index = machine.appliedIndex + 1;
    try {
      machine.apply({ index, term: machine.appliedTerm, type: EntryType.normal, data });
    } catch (error) {
      if (!(error instanceof InvariantViolation)) throw error;
      throw new EtcdFileError(
        `entry ${entry.index} of the log cannot be applied: ${error.message}`,
      );
    }
  }
  return { applied, passedOver: entries.length - applied };
}

/** The bytes to apply. Empty: the entry has nothing to apply. */
function contentOf(entry: EtcdLogEntry): Uint8Array {
  if (entry.type !== 0) return nothing;
  const request = requestOf(entry.data);
  if (request === undefined || passedOverFields.has(request.field)) return nothing;
  if (contentFields.has(request.field)) return request.data;
  throw new EtcdFileError(
    `entry ${entry.index} of the log holds a request that this build does not know (field ${request.field}); take a backup with \`etcdctl snapshot save\` from the running cluster instead`,
  );
}

/**
 * The field number of the request in an InternalRaftRequest {header=100, ID=1, v2=2, ...}, and that
 * message without its old ID. Undefined: there is none, or it is a request of the v2 API.
 */
function requestOf(
  data: Uint8Array,
): { readonly field: number; readonly data: Uint8Array } | undefined {
  const reader = new BinaryReader(data);
  const parts: Uint8Array[] = [];
  let field: number | undefined;
  try {
    while (reader.pos < reader.len) {
      const from = reader.pos;
      const tag = reader.uint32();
      reader.skip(tag & 7);
      if (tag >>> 3 === oldIdField) continue;
      // A bare request of the v2 API has its method in this field. Other messages have their v2
      // request there.
      if (tag >>> 3 === v2Field) return undefined;
      if (tag >>> 3 !== headerField) field = tag >>> 3;
      parts.push(data.subarray(from, reader.pos));
    }
  } catch {
    return undefined;
  }
  return field === undefined ? undefined : { field, data: Buffer.concat(parts) };
}
