/**
 * Reads watch.json of etcd's robustness tests: JSON objects with Request and Responses. Format:
 * tests/robustness/report/client.go, model/watch.go and model/replay.go of etcd-io/etcd.
 *
 * The recorder keeps neither the member nor the time of the request, and of events no version and
 * no lease, only whether they create the key.
 */
import { prefixEnd } from "../../../base/bytes.js";
import { leaseNotRecorded, notRecorded } from "../../history/not-recorded.js";
import type { HistoryRange, Watch, WatchEvent, WatchResponse } from "../../history/types.js";
import { bytesText, keyValueOf, recordedValue } from "./etcd-values.js";
import { GoFields } from "./go-fields.js";
import { jsonObjects } from "./json-objects.js";

const nsPerUs = 1_000;

/**
 * @param of the client's number, its name in place of the member, and the id of the first watch
 * @throws HistoryFormatError
 */
export function readEtcdWatches(
  text: string,
  of: { readonly client: number; readonly name: string; readonly firstId: number },
): readonly Watch[] {
  const watches: Watch[] = [];
  for (const { value, line } of jsonObjects(text)) {
    const fields = new GoFields(value, line);
    const request = fields.part("Request") ?? fields.fail("has no Request");
    const responses = fields.list("Responses").flatMap(responseOf);
    watches.push({
      id: of.firstId + watches.length,
      ...{ client: of.client, member: of.name },
      callUs: responses[0]?.atUs ?? 0,
      range: rangeOf(request),
      revision: request.whole("Revision"),
      prevKv: request.flag("WithPrevKV"),
      progressNotify: request.flag("WithProgressNotify"),
      ...{ filters: [], responses },
    });
  }
  return watches;
}

function rangeOf(request: GoFields): HistoryRange {
  const key = bytesText(request.text("Key"));
  if (!request.flag("WithPrefix")) return { key };
  if (key === "") return { key: "\0", end: "\0" };
  return { key, end: Buffer.from(prefixEnd(Buffer.from(key, "latin1"))).toString("latin1") };
}

/** Empty: the answer says nothing. */
function responseOf(fields: GoFields): readonly WatchResponse[] {
  const events = fields.list("Events").map(eventOf);
  const isOver = fields.text("Error") !== "";
  if (events.length === 0 && !fields.flag("IsProgressNotify") && !isOver) return [];
  const response = {
    atUs: Math.floor(fields.whole("Time") / nsPerUs),
    revision: fields.whole("Revision"),
    events,
    ...(isOver ? { canceled: true } : {}),
  };
  return [response];
}

function eventOf(fields: GoFields): WatchEvent {
  const key = bytesText(fields.text("Key"));
  const mod = fields.whole("Revision");
  const before = fields.part("PrevValue");
  const prev = before === undefined ? {} : { prev: keyValueOf(fields.text("Key"), before) };
  const type = fields.text("Type");
  if (type === "delete-operation") {
    return { type: "delete", key, value: "", create: 0, mod, version: 0, ...prev };
  }
  if (type !== "put-operation") fields.fail(`has the unknown Type ${JSON.stringify(type)}`);
  const isCreate = fields.flag("IsCreate");
  return {
    ...{ type: "put", key, value: recordedValue(fields.part("Value")), mod },
    create: isCreate ? mod : notRecorded,
    version: isCreate ? 1 : notRecorded,
    ...{ lease: leaseNotRecorded, ...prev },
  };
}
