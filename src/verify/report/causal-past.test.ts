/**
 * Compares the past of an event with a naive closure over the same links, and tests its edge cases.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { causalPast } from "./causal-past.js";
import type { TraceEvent } from "./trace.js";

type Draft = Partial<Omit<TraceEvent, "id">>;

function trace(drafts: readonly Draft[]): TraceEvent[] {
  return drafts.map((draft, id) => ({
    ...draft,
    id,
    cause: draft.cause,
    atUs: draft.atUs ?? id,
    node: draft.node,
    kind: draft.kind ?? "log",
    text: draft.text ?? "",
  }));
}

function ids(events: readonly TraceEvent[]): number[] {
  return events.map(({ id }) => id);
}

describe("causal past", () => {
  const events = trace([
    { node: "a", kind: "start" },
    { node: "b", kind: "start" },
    { node: "c", kind: "start" },
    { node: "a", kind: "send", peer: "b", message: 7 },
    { node: "c", kind: "apply" },
    { node: "a", kind: "apply" },
    { node: "b", kind: "receive", message: 7 },
    { kind: "fault" },
    { node: "b", kind: "violation", cause: 7 },
    { node: "b", kind: "apply" },
  ]);

  test("what happened before on the node, at the sender, and by cause; nothing else", () => {
    expect(ids(causalPast(events, 8, { limit: 100 }))).toEqual([0, 1, 3, 6, 7, 8]);
  });

  test("the limit keeps the newest, oldest first", () => {
    expect(ids(causalPast(events, 8, { limit: 3 }))).toEqual([6, 7, 8]);
    expect(causalPast(events, 8, { limit: 0 })).toEqual([]);
  });

  test("skipped kinds are passed through and do not count against the limit", () => {
    const skip = new Set<TraceEvent["kind"]>(["receive", "fault"]);
    expect(ids(causalPast(events, 8, { limit: 3, skip }))).toEqual([1, 3, 8]);
  });

  test("agrees with a closure over all links", () => {
    const draft = fc.record({
      node: fc.constantFrom("a", "b", "c", undefined),
      back: fc.option(fc.integer({ min: 1, max: 10 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(draft, { minLength: 1, maxLength: 40 }), (drafts) => {
        const made = drafts.map(({ node, back }, id): Draft => {
          const cause = back === undefined || back > id ? undefined : id - back;
          return { cause, ...(node === undefined ? {} : { node }) };
        });
        const all = trace(made);
        const target = all.length - 1;
        const limit = all.length;
        expect(ids(causalPast(all, target, { limit }))).toEqual(closure(all, target));
      }),
    );
  });
});

/** Adds every direct predecessor until nothing is new. */
function closure(events: readonly TraceEvent[], target: number): number[] {
  const found = new Set([target]);
  for (const id of found) {
    const { cause, node } = events[id] as TraceEvent;
    if (cause !== undefined) found.add(cause);
    const before = events.filter((event) => event.id < id && event.node === node);
    if (node !== undefined) for (const event of before) found.add(event.id);
  }
  return [...found].sort((a, b) => a - b);
}
