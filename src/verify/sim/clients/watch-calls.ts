/** Requests and events of watches of the history as etcd's protobuf messages. */
import { Event_EventType, type Event as WireEvent } from "../../../wire/gen/kv.js";
import { WatchCreateRequest_FilterType as Filter, WatchRequest } from "../../../wire/gen/rpc.js";
import type { Watch, WatchEvent } from "../../history/types.js";
import { bytesOf, keyValueOf } from "./client-calls.js";

/** Asks for the progress of all watches of a stream. */
export const watchProgressRequest: Uint8Array = WatchRequest.encode({
  request_union: { $case: "progress_request", value: {} },
}).finish();

/** Opens a watch, with an id that the member chooses, and without fragments. */
export function watchCreateRequest(watch: Omit<Watch, "responses">): Uint8Array {
  return WatchRequest.encode({
    request_union: {
      $case: "create_request",
      value: {
        key: bytesOf(watch.range.key),
        range_end: bytesOf(watch.range.end ?? ""),
        start_revision: BigInt(watch.revision),
        progress_notify: watch.progressNotify,
        filters: watch.filters.map((filter) => (filter === "put" ? Filter.NOPUT : Filter.NODELETE)),
        prev_kv: watch.prevKv,
        watch_id: 0n,
        fragment: false,
      },
    },
  }).finish();
}

/** @throws if the event has no key */
export function eventOf(event: WireEvent): WatchEvent {
  const kv = event.kv;
  if (kv === undefined) throw new Error("an event without a key");
  const prev = event.prev_kv === undefined ? {} : { prev: keyValueOf(event.prev_kv) };
  const type = event.type === Event_EventType.DELETE ? "delete" : "put";
  return { type, ...keyValueOf(kv), ...prev };
}
