/** Keys and values as etcd's robustness tests record them (tests/robustness/model of etcd-io/etcd). */
import { fnv1a } from "../../../base/fnv1a.js";
import { leaseNotRecorded, notRecorded } from "../../history/not-recorded.js";
import type { KeyValue } from "../../history/types.js";
import type { GoFields } from "./go-fields.js";

/** Values of this many bytes and more are recorded as a hash, but not in every place. */
const hashedBytesMin = 20;

/** As in a history: one character a byte. */
export function bytesText(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

/** A value, or the name of its hash: of two long values only the hashes are compared. */
export function recordedValue(fields: GoFields | undefined): string {
  if (fields === undefined) return "";
  const hash = fields.whole("Hash");
  if (hash !== 0) return hashName(hash);
  const value = bytesText(fields.text("Value"));
  return value.length < hashedBytesMin ? value : hashName(fnv1a(value));
}

/** `fields` has a value, the revision of the last change, and the version. */
export function keyValueOf(key: string, fields: GoFields): KeyValue {
  return {
    ...{ key: bytesText(key), value: recordedValue(fields.part("Value")), create: notRecorded },
    ...{ mod: fields.whole("ModRevision"), version: fields.whole("Version") },
    lease: leaseNotRecorded,
  };
}

function hashName(hash: number): string {
  return `#${hash.toString(16).padStart(8, "0")}`;
}
