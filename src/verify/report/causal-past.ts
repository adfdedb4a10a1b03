/**
 * The events that led to an event: its happens-before past, by causes and by the order of events on
 * each node (Lamport, 1978). A person should read the newest part of it first.
 */
import type { TraceEvent } from "./trace.js";

/**
 * Up to `limit` events of the past of `events[target]`, itself included, oldest first. Follows
 * events of the kinds in `skip`, but does not return them.
 */
export function causalPast(
  events: readonly TraceEvent[],
  target: number,
  options: { readonly limit: number; readonly skip?: ReadonlySet<TraceEvent["kind"]> },
): TraceEvent[] {
  const before = previousOnNode(events);
  const isIn = new Uint8Array(events.length);
  isIn[target] = 1;
  const past: TraceEvent[] = [];
  const add = (id: number | undefined): void => {
    if (id !== undefined && id >= 0) isIn[id] = 1;
  };
  const sends = new Map<number, number>();
  for (const { id, kind, message } of events) {
    if (kind === "send" && message !== undefined) sends.set(message, id);
  }
  // Causes come before effects in the list, so one pass backwards is enough.
  for (let id = target; id >= 0 && past.length < options.limit; id--) {
    if (isIn[id] !== 1) continue;
    const event = events[id] as TraceEvent;
    add(event.cause);
    add(before[id]);
    if (event.kind === "receive" && event.message !== undefined) add(sends.get(event.message));
    if (options.skip?.has(event.kind) !== true) past.push(event);
  }
  return past.reverse();
}

/** By event: the event before it on the same node; -1 for the first. */
function previousOnNode(events: readonly TraceEvent[]): Int32Array {
  const before = new Int32Array(events.length).fill(-1);
  const last = new Map<string, number>();
  for (const { id, node } of events) {
    if (node === undefined) continue;
    before[id] = last.get(node) ?? -1;
    last.set(node, id);
  }
  return before;
}
