/** The state machine of a member's own state: each event in each state, and nothing left out. */

import { describe, expect, test } from "vitest";
import { InvariantViolation } from "../base/invariant.js";
import type { Fingerprint } from "../state/fingerprint.js";
import type { FoundDifference } from "./comparison.js";
import { HealRequest } from "./heal-request.js";
import { initialHealth, isDiverged, mayAnswer, quarantineOf, step } from "./health.js";
import type { Cause, Health, HealthEffect, HealthEvent, HealthKind } from "./health-types.js";

type EventKind = HealthEvent["kind"];
/** The next state and what is done, in order; "impossible": an invariant stops the member. */
type Expected = readonly [HealthKind, ...HealthEffect["kind"][]] | "impossible";

const mine: Fingerprint = {
  ...{ version: 1, index: 70, revision: 5, compactRevision: -1, logChain: 3 },
  rows: new Uint8Array(16),
};
const found: FoundDifference = { peer: 2n, mine, theirs: mine, difference: "apply" };
const cause: Cause = { reason: "found", index: 70, evidence: [], sinceMs: 9, backend: "b.1" };
const counts = { clearedAt: 3, found: 4, healed: 2 };
const inQuarantine = {
  note: { ...cause, reason: "earlier", index: 50, failures: 1 },
  ...{ isDiverged: false, nextRequestMs: 1_000 },
};

const states: { readonly [K in HealthKind]: Extract<Health, { kind: K }> } = {
  serving: { ...counts, kind: "serving" },
  suspected: { ...counts, kind: "suspected" },
  quarantined: { ...counts, ...inQuarantine, kind: "quarantined" },
  verifying: { ...counts, ...inQuarantine, kind: "verifying", equalAt: [60] },
  diverged: { ...counts, kind: "diverged" },
};

const events: { readonly [K in EventKind]: Extract<HealthEvent, { kind: K }> } = {
  differsFromLeader: { kind: "differsFromLeader", found, cause },
  followerDiffers: { kind: "followerDiffers", found },
  equalToLeader: { kind: "equalToLeader", index: 61 },
  equalWhileInquiring: { kind: "equalWhileInquiring", index: 61 },
  elected: { kind: "elected", mine },
  undecided: { kind: "undecided" },
  settled: { kind: "settled" },
  wrong: { kind: "wrong", cause },
  contained: { kind: "contained", cause },
  adopted: { kind: "adopted", index: 55 },
  replaced: { kind: "replaced", index: 55 },
  replacedWithVerdict: { kind: "replacedWithVerdict", index: 55, cause },
  cleared: { kind: "cleared", index: 62 },
  diverged: { kind: "diverged" },
  tick: { kind: "tick", nowMs: 1_000, electionMs: 100, isLeader: false },
};

const quarantine: Expected = [
  ...(["quarantined", "logQuarantine", "writeNote", "standIn", "refuseReads"] as const),
  ...(["forgetFingerprints", "changed", "stopLeading", "heal"] as const),
];
const containedAndProven: Expected = [
  ...(["verifying", "writeNote", "refuseReads", "forbidLeading", "changed"] as const),
  "noteAdoption",
];
const letGo = ["forbidLeading", "refuseReads", "letGo", "changed"] as const;

const table: Record<HealthKind, Record<EventKind, Expected>> = {
  serving: {
    differsFromLeader: ["suspected", "noteDifference"],
    followerDiffers: ["suspected", "investigate", "noteDifference"],
    equalToLeader: ["serving"],
    equalWhileInquiring: ["serving"],
    elected: ["serving"],
    undecided: ["suspected", "refuseReads"],
    settled: ["serving"],
    wrong: quarantine,
    contained: quarantine,
    adopted: "impossible",
    replaced: ["serving"],
    replacedWithVerdict: containedAndProven,
    cleared: ["serving"],
    diverged: ["diverged", ...letGo],
    tick: ["serving"],
  },
  suspected: {
    differsFromLeader: ["suspected"],
    followerDiffers: ["suspected", "investigate"],
    equalToLeader: ["serving", "answerReads"],
    equalWhileInquiring: ["suspected"],
    elected: ["suspected", "investigate"],
    undecided: ["suspected", "refuseReads"],
    settled: ["serving", "answerReads"],
    wrong: quarantine,
    contained: quarantine,
    adopted: "impossible",
    replaced: ["suspected"],
    replacedWithVerdict: containedAndProven,
    cleared: ["suspected"],
    diverged: ["diverged", ...letGo],
    tick: ["suspected"],
  },
  quarantined: {
    differsFromLeader: ["quarantined"],
    followerDiffers: ["quarantined"],
    equalToLeader: ["quarantined"],
    equalWhileInquiring: ["quarantined"],
    elected: ["quarantined"],
    undecided: ["quarantined"],
    settled: ["quarantined"],
    wrong: ["quarantined"],
    contained: ["quarantined"],
    adopted: ["verifying", "noteAdoption"],
    replaced: ["verifying", "noteAdoption"],
    replacedWithVerdict: ["verifying", "noteAdoption"],
    cleared: ["quarantined"],
    diverged: ["quarantined", ...letGo],
    tick: ["quarantined", "askLeader"],
  },
  verifying: {
    differsFromLeader: quarantine,
    followerDiffers: ["verifying"],
    equalToLeader: ["verifying"],
    equalWhileInquiring: ["verifying"],
    elected: ["verifying"],
    undecided: ["verifying"],
    settled: ["verifying"],
    wrong: quarantine,
    contained: ["verifying"],
    adopted: "impossible",
    replaced: ["verifying", "noteAdoption"],
    replacedWithVerdict: ["verifying", "noteAdoption"],
    cleared: ["serving", "noteHealed", "removeNote", "serveAgain", "changed"],
    diverged: ["verifying", ...letGo],
    tick: ["verifying", "askLeader"],
  },
  diverged: {
    differsFromLeader: ["diverged"],
    followerDiffers: ["diverged"],
    equalToLeader: ["diverged"],
    equalWhileInquiring: ["diverged"],
    elected: ["diverged"],
    undecided: ["diverged"],
    settled: ["diverged"],
    wrong: quarantine,
    contained: quarantine,
    adopted: "impossible",
    replaced: ["diverged"],
    replacedWithVerdict: containedAndProven,
    cleared: ["diverged"],
    diverged: "impossible",
    tick: ["diverged"],
  },
};

const cells = (Object.keys(table) as HealthKind[]).flatMap((from) =>
  (Object.keys(table[from]) as EventKind[]).map(
    (event) => [from, event, table[from][event]] as const,
  ),
);

test.each(cells)("%s, %s", (from, event, expected) => {
  const taken = (): ReturnType<typeof step> => step(states[from], events[event]);
  if (expected === "impossible") {
    expect(taken).toThrow(InvariantViolation);
    return;
  }
  const { state, effects } = taken();
  expect([state.kind, ...effects.map(({ kind }) => kind)]).toEqual(expected);
  const isEntered = expected === quarantine;
  expect(state.found).toBe(isEntered ? 5 : 4);
  const isHealed = from === "verifying" && event === "cleared";
  expect([state.healed, state.clearedAt]).toEqual(isHealed ? [3, 62] : [2, 3]);
});

test.each(cells)("%s, %s: nobody who waits is forgotten or told too early", (from, event, to) => {
  if (to === "impossible") return;
  const { state, effects } = step(states[from], events[event]);
  const kinds = effects.map(({ kind }) => kind);
  const isLeft = from === "suspected" && state.kind !== "suspected";
  if (isLeft) expect(kinds.some((kind) => /^(answer|refuse)Reads$/.test(kind))).toBe(true);
  if (kinds.includes("answerReads")) expect(mayAnswer(state)).toBe(true);
  // A crash after any effect must find the note: it is the first thing on the disk, the last to go.
  const isBegun = quarantineOf(states[from]) === undefined && quarantineOf(state) !== undefined;
  if (isBegun) expect(kinds.filter((kind) => !kind.startsWith("log"))[0]).toBe("writeNote");
  if (kinds.includes("serveAgain"))
    expect(kinds.indexOf("removeNote")).toBeLessThan(kinds.indexOf("serveAgain"));
});

describe("the note", () => {
  test("is what the member found, in its first quarantine", () => {
    const { state } = step(states.suspected, events.wrong);
    expect(quarantineOf(state)).toEqual({ ...cause, failures: 0 });
  });

  test("counts a heal that did not help", () => {
    const { state, effects } = step(states.verifying, events.differsFromLeader);
    expect(quarantineOf(state)).toEqual({ ...cause, failures: 2 });
    expect(effects.at(-1)).toEqual({ kind: "heal", failures: 2 });
  });

  test("found at a start begins in quarantine", () => {
    expect(initialHealth(inQuarantine.note)).toMatchObject({ kind: "quarantined", found: 0 });
    expect(initialHealth(undefined).kind).toBe("serving");
  });
});

describe("what the leader is asked for", () => {
  const tick = (nowMs: number, isLeader = false) =>
    ({ kind: "tick", electionMs: 100, nowMs, isLeader }) as const;

  test("nothing before it is time, then once in an election timeout", () => {
    expect(step(states.quarantined, tick(999))).toEqual({ state: states.quarantined, effects: [] });
    const first = step(states.quarantined, tick(1_000));
    expect(first.effects).toEqual([{ kind: "askLeader", request: HealRequest.report, index: 50 }]);
    expect(step(first.state, tick(1_099)).effects).toEqual([]);
    expect(step(first.state, tick(1_100)).effects).toHaveLength(1);
  });

  test("at two different equal indexes, at once, to be cleared; before, another index", () => {
    const adopted = step(states.quarantined, events.adopted).state;
    expect(step(adopted, tick(2_000)).effects).toEqual([]);
    const once = step(adopted, { kind: "equalToLeader", index: 60 }).state;
    const again = step(once, { kind: "equalToLeader", index: 60 }).state;
    expect(again).toBe(once);
    const probe = step(once, tick(1));
    expect(probe.effects).toEqual([{ kind: "askLeader", request: HealRequest.probe, index: 60 }]);
    const twice = step(probe.state, { kind: "equalToLeader", index: 64 }).state;
    expect(step(twice, tick(2)).effects).toEqual([
      { kind: "askLeader", request: HealRequest.clear, index: 64 },
    ]);
  });

  test("a replaced state has to be seen equal anew", () => {
    expect(step(states.verifying, events.replaced).state).toMatchObject({ equalAt: [] });
  });

  test("who leads in quarantine hands over instead", () => {
    expect(step(states.verifying, tick(1_000, true)).effects).toEqual([{ kind: "handOver" }]);
  });
});

describe("a diverged member in quarantine", () => {
  const both = step(states.verifying, events.diverged).state;

  test("answers nothing, and is diverged when it has healed", () => {
    expect([mayAnswer(both), isDiverged(both)]).toEqual([false, true]);
    const { state, effects } = step(both, events.cleared);
    expect(state).toEqual({ ...counts, kind: "diverged", clearedAt: 62, healed: 3 });
    expect(effects.map(({ kind }) => kind)).toEqual(["noteHealed", "removeNote", "changed"]);
  });

  test("stays diverged through a further quarantine", () => {
    expect(isDiverged(step(both, events.wrong).state)).toBe(true);
    expect(isDiverged(step(states.diverged, events.wrong).state)).toBe(true);
    expect(() => step(both, events.diverged)).toThrow(InvariantViolation);
  });
});

test("only a member that serves answers at once; one in doubt may later", () => {
  const serving = (Object.keys(states) as HealthKind[]).filter((kind) => mayAnswer(states[kind]));
  expect(serving).toEqual(["serving", "suspected"]);
});
