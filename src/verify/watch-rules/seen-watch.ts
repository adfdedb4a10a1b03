/**
 * One watch as its client saw it, beside what really happened: what all rules of watches start
 * from. Rules judge sets of events as far as they can, so that each looks for one kind of mistake
 * and a history with one mistake breaks one rule.
 */
import type { Watch, WatchEvent } from "../history/types.js";
import { covers } from "../linearizability/etcd/effect.js";

/** What really happened: the log, replayed. */
export interface WatchTruth {
  /** The last one. */
  readonly revision: number;
  /** The last compaction; 0: none. */
  readonly compactRevision: number;
  /** The changes of that revision with the values before it; empty for revisions without. */
  eventsAt(revision: number): readonly WatchEvent[];
}

export interface SeenEvent {
  readonly event: WatchEvent;
  /** Its answer's place among the answers. */
  readonly response: number;
}

export interface SeenWatch {
  readonly watch: Watch;
  /** The first revision whose events are owed; undefined: the server has not said. */
  readonly start: number | undefined;
  /** In the order of arrival. */
  readonly events: readonly SeenEvent[];
  /** Of the events: `eventName`. */
  readonly names: ReadonlySet<string>;
  /** The lowest revision of an event that was asked for; undefined: there was none. */
  readonly lowest: number | undefined;
  /** Up to here the client may believe that it has seen everything; 0: it has seen nothing. */
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
    // Of a fragment's last revision, more may follow.
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

/** A progress notification: nothing below or at its revision is still to come. */
export function isProgress(watch: Watch, place: number): boolean {
  const response = watch.responses[place];
  if (response === undefined || response.events.length > 0) return false;
  return response.created !== true && response.canceled !== true;
}

/** A key changes at most once in a revision. */
export function eventName({ mod, key }: WatchEvent): string {
  return `${mod} ${key}`;
}

export function isAskedFor(watch: Watch, event: WatchEvent): boolean {
  return covers(watch.range, event.key) && !watch.filters.includes(event.type);
}

/** The change of which this event tells; undefined: there was none. */
export function truthOf(event: WatchEvent, truth: WatchTruth): WatchEvent | undefined {
  return truth.eventsAt(event.mod).find(({ key }) => key === event.key);
}

/** Events of [from, to] that are owed and never came, lowest first. */
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
