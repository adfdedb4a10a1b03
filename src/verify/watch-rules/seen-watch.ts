/**
 * One watch as its client saw it, beside what really happened. All rules of watches start from
 * this. Rules compare sets of events where they can, so that each rule finds one kind of mistake
 * and a history with one mistake breaks one rule.
 */
import type { Watch, WatchEvent } from "../history/types.js";
import { covers } from "../linearizability/etcd/effect.js";

/** What really happened, by a replay of the log. */
export interface WatchTruth {
  /** The last one. */
  readonly revision: number;
  /** The revision of the last compaction; 0: none. */
  readonly compactRevision: number;
  /** True: there may be further compactions, which nobody was told of. */
  readonly othersCompact?: boolean;
  /** The changes of that revision with the values before it; empty for revisions without. */
  eventsAt(revision: number): readonly WatchEvent[];
}

export interface SeenEvent {
  readonly event: WatchEvent;
  /** Place of its answer among the answers. */
  readonly response: number;
}

export interface SeenWatch {
  readonly watch: Watch;
  /** The first revision whose events the member must send; undefined: the member has not said. */
  readonly start: number | undefined;
  /** The events in the order of arrival. */
  readonly events: readonly SeenEvent[];
  /** The names of the events: `eventName`. */
  readonly names: ReadonlySet<string>;
  /** The lowest revision of an event that the watch asked for; undefined: there was none. */
  readonly lowest: number | undefined;
  /** The revision up to which the client may believe that it has seen everything; 0: none. */
  readonly reached: number;
}

export function seenWatch(watch: Watch): SeenWatch {
  const created = watch.responses.find(({ created }) => created === true);
  const now = created === undefined ? undefined : created.revision + 1;
  const start = watch.revision > 0 ? watch.revision : now;
  const events: SeenEvent[] = [];
  let reached = 0;
  watch.responses.forEach((response, place) => {
    for (const event of response.events) events.push({ event, response: place });
    const last = response.events.at(-1);
    // For the last revision of a fragment, more events may follow.
    if (last !== undefined) reached = Math.max(reached, last.mod - (response.fragment ? 1 : 0));
    else if (isProgress(watch, place)) reached = Math.max(reached, response.revision);
  });
  const owed = events.filter(({ event }) => isAskedFor(watch, event) && event.mod >= (start ?? 0));
  const lowest = owed.reduce((min, { event }) => Math.min(min, event.mod), Number.MAX_SAFE_INTEGER);
  return {
    watch,
    start,
    events,
    names: new Set(events.map(({ event }) => eventName(event))),
    lowest: owed.length === 0 ? undefined : lowest,
    reached,
  };
}

/** A progress notification: no event below or at its revision may come later. */
export function isProgress(watch: Watch, place: number): boolean {
  const response = watch.responses[place];
  if (response === undefined || response.events.length > 0) return false;
  return response.created !== true && response.canceled !== true;
}

/** A key changes at most once in a revision. */
export function eventName({ mod, key }: WatchEvent): string {
  return `${mod} ${key}`;
}

/** True if the watch's range and filters let the event through. */
export function isAskedFor(watch: Watch, event: WatchEvent): boolean {
  return covers(watch.range, event.key) && !watch.filters.includes(event.type);
}

/** The change that this event reports; undefined: there was none. */
export function truthOf(event: WatchEvent, truth: WatchTruth): WatchEvent | undefined {
  return truth.eventsAt(event.mod).find(({ key }) => key === event.key);
}

/** Events of [from, to] that the member had to send and that never came, lowest first. */
export function missing(
  seen: SeenWatch,
  truth: WatchTruth,
  span: { readonly from: number; readonly to: number },
): readonly WatchEvent[] {
  const absent: WatchEvent[] = [];
  for (let at = span.from; at <= Math.min(span.to, truth.revision); at++) {
    for (const event of truth.eventsAt(at)) {
      if (isAskedFor(seen.watch, event) && !seen.names.has(eventName(event))) absent.push(event);
    }
  }
  return absent;
}
