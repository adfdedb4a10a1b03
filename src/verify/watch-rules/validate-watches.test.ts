import { describe, expect, test } from "vitest";
import type { KeyValue, Request, Watch, WatchEvent, WatchResponse } from "../history/types.js";
import { Replay } from "../linearizability/etcd/replay.js";
import { validateWatches, watchRules } from "./validate-watches.js";

const put = (key: string, value: string): Extract<Request, { kind: "put" }> => ({
  kind: "put",
  key,
  value,
});

/** Revisions 2 to 9, then a revision that watches of "a" to "d" do not see. */
const story: readonly Request[] = [
  put("a", "1"),
  put("b", "1"),
  { kind: "txn", compares: [], success: [put("a", "2"), put("b", "2")], failure: [] },
  { kind: "delete", key: "a" },
  put("a", "3"),
  put("c", "1"),
  put("b", "3"),
  { kind: "delete", key: "c" },
  put("x", "1"),
];
const truth = Replay.of(story);
const compacted = Replay.of([...story, { kind: "compact", revision: 5 }]);

function eventsOf(...revisions: readonly number[]): readonly WatchEvent[] {
  return revisions.flatMap((revision) => [...truth.eventsAt(revision)]);
}

function told(events: readonly WatchEvent[], more: Partial<WatchResponse> = {}): WatchResponse {
  return { atUs: 0, revision: 10, events, ...more };
}

const created = (revision = 10): WatchResponse => told([], { created: true, revision });
const progress = (revision: number): WatchResponse => told([], { revision });
const tooOld = (compactRevision: number): WatchResponse =>
  told([], { canceled: true, revision: 0, compactRevision });

function watch(responses: readonly WatchResponse[], more: Partial<Watch> = {}): Watch {
  return {
    id: 1,
    client: 1,
    member: "m1",
    callUs: 0,
    range: { key: "a", end: "d" },
    revision: 2,
    prevKv: true,
    progressNotify: false,
    filters: [],
    responses,
    ...more,
  };
}

function rulesBroken(one: Watch, known = truth): readonly string[] {
  return [...new Set(validateWatches([one], known).map(({ rule }) => rule))];
}

const all = told(eventsOf(2, 3, 4, 5, 6, 7, 8, 9));

describe("a truthful watch is accepted", () => {
  const cases: Record<string, readonly [Watch, Replay?]> = {
    "all at once": [watch([created(), all])],
    "one by one, with progress": [
      watch([
        created(),
        ...[2, 3, 4].map((revision) => told(eventsOf(revision), { revision })),
        progress(4),
        told(eventsOf(5, 6)),
        progress(6),
        progress(6),
        told(eventsOf(7, 8, 9)),
        progress(10),
      ]),
    ],
    "a revision in fragments": [
      watch([
        created(),
        told([...eventsOf(2, 3), eventsOf(4)[0] as WatchEvent], { fragment: true }),
        told([eventsOf(4)[1] as WatchEvent, ...eventsOf(5)]),
      ]),
    ],
    "a broken stream in the middle of fragments": [
      watch([
        created(),
        told([...eventsOf(2, 3), eventsOf(4)[0] as WatchEvent], { fragment: true }),
      ]),
    ],
    "nothing yet": [watch([created()])],
    "not even created": [watch([])],
    "from now on": [
      watch([created(6), told(eventsOf(7)), told(eventsOf(8)), progress(8)], { revision: 0 }),
    ],
    "from the future": [watch([created(4), told(eventsOf(7, 8))], { revision: 7 })],
    "progress right before the future begins": [
      watch([created(6), progress(6), told(eventsOf(7))], { revision: 7 }),
    ],
    "one key": [watch([created(), told(eventsOf(3)), progress(3)], { range: { key: "b" } })],
    "from a key on": [
      watch([created(), told(eventsOf(7, 9, 10))], { range: { key: "c", end: "\0" } }),
    ],
    "without deletions": [
      watch([created(), told([...eventsOf(2, 3, 4, 6, 7, 8)]), progress(10)], {
        filters: ["delete"],
      }),
    ],
    "without previous values, which it did not ask for": [
      watch([created(), told(eventsOf(2, 3, 4).map(withoutPrev))], { prevKv: false }),
    ],
    "without the previous values that compaction took": [
      watch([created(), told([...eventsOf(2, 3), ...eventsOf(4, 5).map(withoutPrev)])]),
      compacted,
    ],
    "too late for history": [watch([created(), tooOld(5)]), compacted],
    "overtaken by compaction": [watch([created(), told(eventsOf(2, 3)), tooOld(5)]), compacted],
    "resumed at the compaction": [
      watch([created(), told([...eventsOf(5).map(withoutPrev), ...eventsOf(6)])], { revision: 5 }),
      compacted,
    ],
  };
  test.each(Object.entries(cases))("%s", (_, [one, known]) => {
    expect(validateWatches([one], known ?? truth)).toEqual([]);
  });
});

describe("one mistake breaks one rule", () => {
  const cases: readonly (readonly [rule: string, what: string, Watch, Replay?])[] = [
    ["filter", "a key outside of the range", watch([created(), all, told(eventsOf(10))])],
    ["filter", "a deletion, unwanted", watch([created(), all], { filters: ["delete"] })],
    ["ordered", "backwards in one answer", watch([created(), told(eventsOf(3, 2))])],
    [
      "ordered",
      "backwards over answers",
      watch([created(), told(eventsOf(2)), told(eventsOf(4)), told(eventsOf(3))]),
    ],
    ["unique", "twice in one answer", watch([created(), told(eventsOf(2, 2, 3))])],
    [
      "unique",
      "from the beginning again, after a snapshot",
      watch([created(), told(eventsOf(2, 3, 4)), told(eventsOf(2, 3, 4, 5))]),
    ],
    [
      "atomic",
      "a transaction in two answers",
      watch([created(), told(eventsOf(2, 3)), ...eventsOf(4).map((event) => told([event]))]),
    ],
    [
      "bookmarkable",
      "progress ahead of events",
      watch([created(), told(eventsOf(2)), progress(4), told(eventsOf(3, 4))]),
    ],
    ["bookmarkable", "progress behind events", watch([created(), all, progress(8)])],
    ["bookmarkable", "progress goes back", watch([created(), all, progress(10), progress(9)])],
    ["bookmarkable", "progress to what never was", watch([created(), all, progress(11)])],
    [
      "future",
      "an event before the beginning",
      watch([created(4), told(eventsOf(5, 6, 7))], { revision: 6 }),
    ],
    [
      "future",
      "progress before the beginning",
      watch([created(4), progress(4), told(eventsOf(6))], { revision: 6 }),
    ],
    [
      "future",
      "an event from before now",
      watch([created(6), told(eventsOf(6, 7))], { revision: 0 }),
    ],
    ["resumable", "the first event is lost", watch([created(), told(eventsOf(3, 4))])],
    [
      "resumable",
      "the first event after now is lost",
      watch([created(6), told(eventsOf(8))], { revision: 0 }),
    ],
    ["resumable", "nothing, and progress", watch([created(), progress(3)])],
    [
      "resumable",
      "the deletion at the compaction is lost",
      watch([created(), told(eventsOf(6))], { revision: 5 }),
      compacted,
    ],
    ["resumable", "a compaction that never was", watch([created(), tooOld(5)])],
    [
      "resumable",
      "ended at the compaction itself",
      watch([created(), tooOld(5)], { revision: 5 }),
      compacted,
    ],
    [
      "resumable",
      "ended by a compaction of what it has seen",
      watch([created(), told(eventsOf(2, 3, 4)), tooOld(5)]),
      compacted,
    ],
    ["reliable", "a gap between events", watch([created(), told(eventsOf(2, 3, 5))])],
    ["reliable", "a gap before progress", watch([created(), told(eventsOf(2)), progress(3)])],
    [
      "reliable",
      "half of a transaction",
      watch([created(), told([...eventsOf(2, 3), eventsOf(4)[0] as WatchEvent]), progress(4)]),
    ],
    [
      "reliable",
      "a slow watch goes on at the compaction",
      watch([created(), told(eventsOf(2)), told(eventsOf(5, 6))]),
      compacted,
    ],
    ["reliable", "another value", changed(2, (event) => ({ ...event, value: "~" }))],
    ["reliable", "another lease", changed(2, (event) => ({ ...event, lease: "7" }))],
    [
      "prev-kv",
      "the value after the change",
      changed(4, (event) => ({ ...event, prev: truth.at(4).get(event.key) as KeyValue })),
    ],
    [
      "prev-kv",
      "another version before",
      changed(4, (event) => ({ ...event, prev: { ...(event.prev as KeyValue), version: 7 } })),
    ],
    ["prev-kv", "nothing before", changed(4, withoutPrev)],
    [
      "prev-kv",
      "something before the first",
      changed(2, (event) => ({
        ...event,
        prev: { key: "a", value: "0", create: 1, mod: 1, version: 1 },
      })),
    ],
    ["prev-kv", "unasked", watch([created(), all], { prevKv: false })],
    ["is-create", "a second life of the first", changed(6, (event) => ({ ...event, create: 2 }))],
    ["is-create", "another version", changed(6, (event) => ({ ...event, version: 3 }))],
  ];
  for (const [rule, what, one, known] of cases) {
    test(`${rule}: ${what}`, () => expect(rulesBroken(one, known)).toEqual([rule]));
  }

  test("each rule is among them", () => {
    const rules = new Set(cases.map(([rule]) => rule));
    expect(rules).toEqual(new Set(watchRules.map(({ id }) => id)));
  });
});

test("an event that never happened is told with its watch", () => {
  const phantom = { ...(eventsOf(3)[0] as WatchEvent), key: "bb" };
  const one = watch([created(), told([...eventsOf(2, 3), phantom])]);
  expect(validateWatches([watch([created(), all]), one], truth)).toEqual([
    {
      rule: "reliable",
      invariant: "C5",
      text: 'watch 1 of [a, "d") at m1 (from 2) tells of put bb = 1 at revision 3, which never happened',
    },
  ]);
});

function withoutPrev(event: WatchEvent): WatchEvent {
  const { prev: _, ...rest } = event;
  return rest;
}

/** All events, those of one revision changed. */
function changed(revision: number, change: (event: WatchEvent) => WatchEvent): Watch {
  const events = all.events.map((event) => (event.mod === revision ? change(event) : event));
  return watch([created(), told(events)]);
}
