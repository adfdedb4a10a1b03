/**
 * What a member knows about its own state, as one state machine. `step` is pure: it gives the next
 * state and the effects that follow from it, in order. health-effects.ts carries them out.
 *
 *                    differs
 *      ┌─────────┐ ───────────────────────▶ ┌───────────┐
 *      │ serving │                          │ suspected │
 *      └─────────┘ ◀─────────────────────── └───────────┘
 *        ▲     │     settled, equal              │
 *        │     │                                 │
 *        │     └────────────────┐  ┌─────────────┘
 *        │     wrong, contained │  │ wrong, contained
 *        │ cleared              ▼  ▼
 *      ┌───────────┐  adopted, ┌─────────────┐
 *      │ verifying │  replaced │ quarantined │
 *      │           │ ◀──────── │             │
 *      │           │ ────────▶ │             │
 *      └───────────┘  wrong,   └─────────────┘
 *                     differs
 *
 *      serving, suspected ── diverged ──▶ diverged, until the member is restarted
 *      diverged ── wrong, contained ──▶ quarantined; verifying ── cleared ──▶ diverged again
 *      serving, suspected, diverged ── replaced, with a verdict about us ──▶ verifying
 *
 * serving      Nothing is wrong as far as is known. Clients are answered.
 * suspected    A state differs from ours and nobody knows yet which is wrong. Reads wait.
 * quarantined  Our state is wrong and was let go of. A stand-in has its place; a right state is fetched.
 * verifying    A right state is in use. It is compared before anybody is answered.
 * diverged     Entries are committed here that the leader's log lacks (divergence/). Nobody is answered.
 *
 * A member in quarantine can be diverged as well. If raft found that, it goes on to heal, and is
 * diverged when it has. If its log belongs to another history, it does not heal.
 */

import { invariant, unreachable } from "../base/invariant.js";
import type { FoundDifference } from "./comparison.js";
import { HealRequest } from "./heal-request.js";
import type {
  Cause,
  Counts,
  Health,
  HealthEffect,
  HealthEvent,
  HealthKind,
  Quarantined,
  Serving,
  Suspected,
  Verifying,
} from "./health-types.js";
import type { Quarantine } from "./quarantine-file.js";

/** A healed member is right again after it was equal at this many different indexes. */
const equalIndexesNeeded = 2;

/** The state after an event, and what must be done then, in this order. */
export interface HealthStep {
  readonly state: Health;
  readonly effects: readonly HealthEffect[];
}

/** The diagram above as data. Any other change of state is a bug. */
const successors: Readonly<Record<HealthKind, readonly HealthKind[]>> = {
  serving: ["suspected", "quarantined", "verifying", "diverged"],
  suspected: ["serving", "quarantined", "verifying", "diverged"],
  quarantined: ["verifying"],
  verifying: ["serving", "quarantined", "diverged"],
  diverged: ["quarantined", "verifying"],
};

/** `note`: what the member found on its disk. With a note it starts in quarantine. */
export function initialHealth(note: Quarantine | undefined): Health {
  const counts: Counts = { clearedAt: 0, found: 0, healed: 0 };
  if (note === undefined) return { ...counts, kind: "serving" };
  return { ...counts, kind: "quarantined", note, isDiverged: false, nextRequestMs: 0 };
}

/** @throws InvariantViolation when the event cannot happen in that state */
export function step(state: Health, event: HealthEvent): HealthStep {
  const next = transition(state, event);
  const { kind } = next.state;
  invariant(
    kind === state.kind || successors[state.kind].includes(kind),
    "a change of the integrity state that is not in the diagram",
    () => ({ from: state.kind, to: kind, event: event.kind }),
  );
  invariant(
    next.state.found >= state.found && next.state.healed >= state.healed,
    "a quarantine is forgotten",
    () => ({ from: state.kind, to: kind, event: event.kind }),
  );
  return next;
}

/** The quarantine. Undefined: this member is not in quarantine. */
export function quarantineOf(state: Health): Quarantine | undefined {
  return state.kind === "quarantined" || state.kind === "verifying" ? state.note : undefined;
}

/** True if the leader's log lacks committed entries of this member. */
export function isDiverged(state: Health): boolean {
  if (state.kind === "quarantined" || state.kind === "verifying") return state.isDiverged;
  return state.kind === "diverged";
}

/** True if clients may get answers: at once or, while suspected, when the doubt ends. */
export function mayAnswer(state: Health): boolean {
  return quarantineOf(state) === undefined && !isDiverged(state);
}

function transition(state: Health, event: HealthEvent): HealthStep {
  switch (event.kind) {
    case "differsFromLeader":
      if (state.kind === "verifying") return quarantine(state, event.cause);
      return state.kind === "serving" ? suspect(state, [differs(event.found)]) : stay(state);
    case "followerDiffers":
      return followerDiffers(state, event.found);
    case "equalToLeader":
      return state.kind === "suspected" ? settle(state) : equal(state, event.index);
    case "equalWhileInquiring":
      return equal(state, event.index);
    case "elected":
      return state.kind === "suspected"
        ? stay(state, [{ kind: "investigate", found: { mine: event.mine } }])
        : stay(state);
    case "undecided":
      return undecided(state);
    case "settled":
      return state.kind === "suspected" ? settle(state) : stay(state);
    case "wrong":
      return state.kind === "quarantined" ? stay(state) : quarantine(state, event.cause);
    case "contained":
      return state.kind === "quarantined" || state.kind === "verifying"
        ? stay(state)
        : quarantine(state, event.cause);
    case "adopted":
      invariant(state.kind === "quarantined", "a state is adopted outside of quarantine");
      return verify(state, event.index);
    case "replaced":
      return state.kind === "quarantined" || state.kind === "verifying"
        ? verify(state, event.index)
        : stay(state);
    case "replacedWithVerdict":
      return replacedWithVerdict(state, event);
    case "cleared":
      return cleared(state, event.index);
    case "diverged":
      return diverge(state);
    case "tick":
      return tick(state, event);
    default:
      return unreachable(event);
  }
}

function stay(state: Health, effects: readonly HealthEffect[] = []): HealthStep {
  return { state, effects };
}

function countsOf({ clearedAt, found, healed }: Health): Counts {
  return { clearedAt, found, healed };
}

function differs(found: FoundDifference): HealthEffect {
  return { kind: "noteDifference", found };
}

function suspect(state: Serving, effects: readonly HealthEffect[]): HealthStep {
  return { state: { ...countsOf(state), kind: "suspected" }, effects };
}

function followerDiffers(state: Health, found: FoundDifference): HealthStep {
  const investigate: HealthEffect = { kind: "investigate", found };
  if (state.kind === "suspected") return stay(state, [investigate]);
  return state.kind === "serving" ? suspect(state, [investigate, differs(found)]) : stay(state);
}

function settle(state: Suspected): HealthStep {
  return { state: { ...countsOf(state), kind: "serving" }, effects: [{ kind: "answerReads" }] };
}

/**
 * Refuses the reads that wait. Later reads wait until the doubt ends or the cluster-wide alarm
 * comes.
 */
function undecided(state: Health): HealthStep {
  const effects: readonly HealthEffect[] = [{ kind: "refuseReads" }];
  if (state.kind === "suspected") return stay(state, effects);
  return state.kind === "serving" ? suspect(state, effects) : stay(state);
}

function quarantine(state: Exclude<Health, Quarantined>, cause: Cause): HealthStep {
  const failures = state.kind === "verifying" ? state.note.failures + 1 : 0;
  const note: Quarantine = { ...cause, failures };
  return {
    state: {
      ...{ ...countsOf(state), found: state.found + 1 },
      ...{ kind: "quarantined", note, isDiverged: isDiverged(state), nextRequestMs: 0 },
    },
    effects: [
      { kind: "logQuarantine", note },
      { kind: "writeNote", note },
      { kind: "standIn" },
      { kind: "refuseReads" },
      { kind: "forgetFingerprints" },
      { kind: "changed" },
      { kind: "stopLeading" },
      { kind: "heal", failures },
    ],
  };
}

function verify(state: Quarantined | Verifying, index: number): HealthStep {
  const { note, nextRequestMs } = state;
  return {
    state: {
      ...{ ...countsOf(state), note, nextRequestMs, isDiverged: state.isDiverged },
      ...{ kind: "verifying", equalAt: [] },
    },
    effects: [{ kind: "noteAdoption", index }],
  };
}

/** The verdict came together with a proven state, so there is nothing to give up or to fetch. */
function replacedWithVerdict(
  state: Health,
  { index, cause }: { readonly index: number; readonly cause: Cause },
): HealthStep {
  if (state.kind === "quarantined" || state.kind === "verifying") return verify(state, index);
  const note: Quarantine = { ...cause, failures: 0 };
  return {
    state: {
      ...{ ...countsOf(state), note, nextRequestMs: 0, isDiverged: state.kind === "diverged" },
      ...{ kind: "verifying", equalAt: [] },
    },
    effects: [
      { kind: "writeNote", note },
      { kind: "refuseReads" },
      { kind: "forbidLeading" },
      { kind: "changed" },
      { kind: "noteAdoption", index },
    ],
  };
}

function equal(state: Health, index: number): HealthStep {
  if (state.kind !== "verifying" || state.equalAt.includes(index)) return stay(state);
  return stay({ ...state, equalAt: [...state.equalAt, index], nextRequestMs: 0 });
}

/** A verdict that is older than the present quarantine does not end it. */
function cleared(state: Health, index: number): HealthStep {
  if (state.kind !== "verifying") return stay(state);
  const counts: Counts = { clearedAt: index, found: state.found, healed: state.healed + 1 };
  const { backend } = state.note;
  const ended: readonly HealthEffect[] = [{ kind: "noteHealed", backend }, { kind: "removeNote" }];
  return state.isDiverged
    ? { state: { ...counts, kind: "diverged" }, effects: [...ended, { kind: "changed" }] }
    : {
        state: { ...counts, kind: "serving" },
        effects: [...ended, { kind: "serveAgain" }, { kind: "changed" }],
      };
}

function diverge(state: Health): HealthStep {
  invariant(!isDiverged(state), "a member diverges twice");
  const effects: readonly HealthEffect[] = [
    { kind: "forbidLeading" },
    { kind: "refuseReads" },
    { kind: "letGo" },
    { kind: "changed" },
  ];
  return state.kind === "quarantined" || state.kind === "verifying"
    ? { state: { ...state, isDiverged: true }, effects }
    : { state: { ...countsOf(state), kind: "diverged" }, effects };
}

/**
 * Once in an election timeout, a member in quarantine reports to the leader or asks to be cleared.
 */
function tick(state: Health, event: Extract<HealthEvent, { kind: "tick" }>): HealthStep {
  const isQuiet = state.kind !== "quarantined" && state.kind !== "verifying";
  if (isQuiet || event.nowMs < state.nextRequestMs) return stay(state);
  const next = { ...state, nextRequestMs: event.nowMs + event.electionMs };
  if (event.isLeader) return stay(next, [{ kind: "handOver" }]);
  if (state.kind === "quarantined")
    return ask(next, { request: HealRequest.report, index: state.note.index });
  const index = state.equalAt.at(-1);
  if (index === undefined) return stay(next);
  const isEnough = state.equalAt.length >= equalIndexesNeeded;
  return ask(next, { request: isEnough ? HealRequest.clear : HealRequest.probe, index });
}

function ask(
  state: Health,
  what: { readonly request: HealRequest; readonly index: number },
): HealthStep {
  return stay(state, [{ kind: "askLeader", ...what }]);
}
