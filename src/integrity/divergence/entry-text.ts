/** Describes a log entry in a few words for people: the request and the keys that it names. */
import { printable } from "../../base/bytes.js";
import { type Entry, EntryType } from "../../raft/types.js";
import { InternalRequest } from "../../wire/gen/internal.js";
import type { RequestOp, TxnRequest } from "../../wire/gen/rpc.js";

const keyBytesMax = 256;
const keysMax = 8;

export function entryText({ type, data }: Entry): string {
  if (type !== EntryType.normal) return "change of members";
  if (data.length === 0) return "first entry of a leader";
  try {
    return requestText(InternalRequest.decode(data).request);
  } catch {
    return "unreadable";
  }
}

function requestText(request: InternalRequest["request"]): string {
  switch (request?.$case) {
    case "put":
      return `put ${quoted(request.value.key)}`;
    case "delete_range":
      return deletion(request.value);
    case "txn": {
      const changes = changesOf(request.value);
      const more = changes.length > keysMax ? ` and ${changes.length - keysMax} more` : "";
      return `txn (${changes.slice(0, keysMax).join(", ")}${more})`;
    }
    case "lease_grant":
    case "lease_revoke":
      return `${request.$case.replace("_", " ")} ${request.value.ID.toString(16)}`;
    default:
      return request?.$case.replaceAll("_", " ") ?? "unknown request";
  }
}

/** The keys that a transaction may change. Which branch it takes depends on the state. */
function changesOf({ success, failure }: TxnRequest): string[] {
  return [...success, ...failure].flatMap(({ request }: RequestOp): string[] => {
    if (request?.$case === "request_put") return [`put ${quoted(request.value.key)}`];
    if (request?.$case === "request_delete_range") return [deletion(request.value)];
    return request?.$case === "request_txn" ? changesOf(request.value) : [];
  });
}

function deletion(range: { readonly key: Uint8Array; readonly range_end: Uint8Array }): string {
  const { key, range_end: end } = range;
  return `delete ${quoted(key)}${end.length === 0 ? "" : ` to ${quoted(end)}`}`;
}

function quoted(key: Uint8Array): string {
  return `"${printable(key.subarray(0, keyBytesMax))}"`;
}
