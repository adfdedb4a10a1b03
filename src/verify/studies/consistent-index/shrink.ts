/**
 * Makes a failing plan small while it fails in the same way: the same kind of finding of the same
 * severity; index and rows may differ. Deterministic: passes run in a fixed order until none helps.
 *
 * Smaller means, in this order of passes: fewer actors, fewer entries, plainer entries and limits,
 * fewer choices. The last passes make the plan easier to read: they replace a rare committer by the
 * ticker, and move the apply loop's steps before those of others where the order does not matter.
 */
import type { Kind, LawBreach } from "./law.js";
import type { StudyEntry } from "./log-entry.js";
import { type Choice, never, type StudyPlan } from "./plan.js";
import { type RunEvent, runPlan, type Severity, type StudyResult } from "./run.js";
import type { Limit } from "./step.js";

/** A plan that fails, and how: the smaller plan must fail in the same way. */
export interface StudyFailure {
  readonly plan: StudyPlan;
  readonly severity: Severity;
  readonly kind: Kind;
}

export interface ShrunkStudy {
  readonly plan: StudyPlan;
  /** The number of choices, with the crash at the end. */
  readonly events: number;
  /** Plans that were tried. */
  readonly runs: number;
}

/** The finding of that severity. Undefined: the run had none. */
export function findingOf(result: StudyResult, severity: Severity): LawBreach | undefined {
  return severity === "law" ? result.law : result.harm;
}

export function shrink(failure: StudyFailure): ShrunkStudy {
  const shrinker = new Shrinker(failure);
  const plan = shrinker.shrink();
  return { plan, events: plan.choices.length + 1, runs: shrinker.runs };
}

const rareActors: readonly Choice[] = ["crash", "defrag", "backup", "worker"];
/** No actor has more steps in one cycle. */
const cycleMax = 8;
/** Index row included. */
const rowsOfEntryMax = 4;
/** The ticker takes the mutex, runs the hook and commits. */
const tick: readonly Choice[] = ["ticker", "ticker", "ticker"];
const letters = "abcdefghijklmnopqrstuvwxyz";

class Shrinker {
  runs = 0;
  readonly #failure: StudyFailure;
  #plan: StudyPlan;

  constructor(failure: StudyFailure) {
    this.#failure = failure;
    this.#plan = failure.plan;
  }

  shrink(): StudyPlan {
    this.#accept(this.#plan);
    let before = "";
    while (before !== JSON.stringify(this.#plan)) {
      before = JSON.stringify(this.#plan);
      this.#dropActors();
      this.#dropEntries();
      this.#plainLimits();
      this.#plainEntries();
      this.#dropChoices();
      this.#knownCommitter();
      this.#applyFirst();
    }
    return this.#plan;
  }

  /** Keeps `plan`, cut after its finding and without skipped choices, if it fails the same way. */
  #accept(plan: StudyPlan): boolean {
    this.runs++;
    const { severity, kind } = this.#failure;
    const result = runPlan(plan, { until: severity });
    if (findingOf(result, severity)?.kind !== kind) return false;
    this.#plan = { ...plan, choices: result.choices };
    return true;
  }

  #dropActors(): void {
    for (const actor of rareActors) {
      const choices = this.#plan.choices.filter((choice) => choice !== actor);
      if (choices.length < this.#plan.choices.length) this.#accept({ ...this.#plan, choices });
    }
  }

  #events(): readonly RunEvent[] {
    return runPlan(this.#plan, { until: this.#failure.severity, isTraced: true }).events;
  }

  /**
   * Removes each entry with the steps that worked for it; from the end, where most are not needed.
   */
  #dropEntries(): void {
    for (let index = this.#plan.log.length; index >= 1; index--) {
      const events = this.#events();
      const { batchLimit, snapshotEvery } = this.#plan;
      const choices = this.#plan.choices.filter((_, place) => events[place]?.entry !== index);
      const log = this.#plan.log.filter((_, place) => place !== index - 1);
      const plan = { ...this.#plan, log, choices };
      if (this.#accept(plan)) continue;
      // An entry may be needed for its commit alone.
      if (this.#accept({ ...plan, choices: [...choices, ...tick] })) continue;
      // Limits count rows and entries, so each must be reached at the same place as before.
      if (snapshotEvery > 1 && this.#accept({ ...plan, snapshotEvery: snapshotEvery - 1 }))
        continue;
      for (let rows = 1; rows <= rowsOfEntryMax && rows < batchLimit; rows++) {
        if (this.#accept({ ...plan, batchLimit: batchLimit - rows })) break;
      }
    }
  }

  #plainLimits(): void {
    this.#dropLimit("batchLimit");
    this.#dropLimit("snapshotEvery");
    if (this.#plan.snapshotEvery === never) return;
    for (let every = 1; every < this.#plan.snapshotEvery; every++) {
      if (this.#accept({ ...this.#plan, snapshotEvery: every })) return;
    }
  }

  /** Without the steps that the limit asked for; or with the ticker, which commits instead. */
  #dropLimit(limit: Limit): void {
    if (this.#plan[limit] === never) return;
    const events = this.#events();
    const rest = this.#plan.choices.filter((_, place) => events[place]?.limit !== limit);
    const plan = { ...this.#plan, [limit]: never };
    for (const choices of [rest, [...rest, "apply", ...tick] as const]) {
      if (this.#accept({ ...plan, choices })) return;
    }
  }

  /** Puts of a, b, c; an entry that cannot be a put gets the smallest numbers. */
  #plainEntries(): void {
    for (let place = 0; place < this.#plan.log.length; place++) {
      const old = JSON.stringify(this.#plan.log[place]);
      for (const entry of plainer(this.#plan.log[place] as StudyEntry, place)) {
        if (JSON.stringify(entry) === old) break;
        const log = this.#plan.log.with(place, entry);
        if (this.#accept({ ...this.#plan, log })) break;
      }
    }
  }

  /** Large pieces first: often a cycle of steps can only be removed as a whole. */
  #dropChoices(): void {
    let size = this.#plan.choices.length >> 1;
    while (size >= 1) {
      let start = 0;
      while (start < this.#plan.choices.length) {
        const choices = this.#plan.choices.toSpliced(start, size);
        if (!this.#accept({ ...this.#plan, choices })) start += Math.max(1, size >> 1);
      }
      size = size > cycleMax ? size >> 1 : size - 1;
    }
  }

  #knownCommitter(): void {
    for (const actor of ["backup", "worker", "defrag"] as const) {
      if (!this.#plan.choices.includes(actor)) continue;
      const choices = this.#plan.choices.map((choice) => (choice === actor ? "ticker" : choice));
      this.#accept({ ...this.#plan, choices });
    }
  }

  /** Moves the apply loop's steps forward, one place at a time. */
  #applyFirst(): void {
    for (let place = 1; place < this.#plan.choices.length; place++) {
      for (let at = place; at > 0 && at < this.#plan.choices.length; at--) {
        const { choices } = this.#plan;
        if (choices[at] !== "apply" || choices[at - 1] === "apply") break;
        const swapped = choices.with(at - 1, "apply").with(at, choices[at - 1] as Choice);
        if (!this.#accept({ ...this.#plan, choices: swapped })) break;
      }
    }
  }
}

function plainer(entry: StudyEntry, place: number): readonly StudyEntry[] {
  const put: StudyEntry = { kind: "put", key: letters[place % letters.length] as string };
  if (entry.kind === "leaseGrant") return [put, { ...entry, lease: 1 }];
  if (entry.kind === "leaseCheckpoint" && entry.leases.length > 1) {
    return [put, { ...entry, leases: [1, 2], left: 10 }];
  }
  if (entry.kind === "confChange" || entry.kind === "alarm") return [put, { ...entry, member: 1 }];
  return [put];
}
