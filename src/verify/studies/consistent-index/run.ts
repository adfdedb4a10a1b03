/**
 * The scheduler. It runs a plan one step at a time, in the order that a Chooser gives. After each
 * step it checks every image of the disk that a crash at this moment could leave. So each finding
 * needs only one crash as the next event, and no run depends on crashing at the right moment.
 *
 * The same plan gives the same result: there is no other input.
 */
import { startLife } from "./design.js";
import { Law, type LawBreach } from "./law.js";
import type { Rows, StudyRow } from "./log-entry.js";
import type { Counters } from "./member-model.js";
import { type ActorName, actorNames, type Choice, type StudyPlan } from "./plan.js";
import type { Limit, StudyStep } from "./step.js";
import { indexOf } from "./store.js";

/** A step that ran, with what memory and disk held after it. */
export interface RunEvent {
  readonly actor: Choice;
  readonly text: string;
  readonly entry: number | undefined;
  readonly limit: Limit | undefined;
  readonly unsaved: readonly StudyRow[];
  /** The rows that are surely durable. */
  readonly disk: Rows;
}

export interface StudyResult {
  /** The breach of the first image that broke the law. Undefined: none did. */
  readonly law: LawBreach | undefined;
  /** The first image that a restart does not repair. */
  readonly harm: LawBreach | undefined;
  /** The choices that were really taken. */
  readonly choices: readonly Choice[];
  readonly events: readonly RunEvent[];
  readonly counters: Counters;
}

/** The next actor, among those that can move; undefined ends the run. */
export type Chooser = (ready: readonly ActorName[]) => Choice | undefined;

/** "harm": a breach of the law that a restart does not repair. */
export type Severity = "law" | "harm";

export interface StudyOptions {
  /** The run ends at the first finding of this severity. */
  readonly until: Severity;
  /** Keep the events, for a diagram. */
  readonly isTraced?: boolean;
}

/** Runs the choices of the plan; leaves out those that are not possible at their turn. */
export function runPlan(plan: StudyPlan, options: StudyOptions): StudyResult {
  let place = 0;
  return run(plan, options, (ready) => {
    while (place < plan.choices.length) {
      const choice = plan.choices[place++] as Choice;
      if (choice === "crash" || ready.includes(choice)) return choice;
    }
    return undefined;
  });
}

/** Runs the plan in the order of `choose`; ignores the plan's own choices. */
export function run(plan: StudyPlan, options: StudyOptions, choose: Chooser): StudyResult {
  return new Scheduler(plan, options).run(choose);
}

class Scheduler {
  readonly #plan: StudyPlan;
  readonly #options: StudyOptions;
  readonly #law: Law;
  readonly #counters: Counters = { entries: 0, sections: 0, indexWrites: 0, commits: 0 };
  readonly #choices: Choice[] = [];
  readonly #events: RunEvent[] = [];
  #life: ReturnType<typeof startLife>;
  #next: Map<ActorName, StudyStep>;
  #isOver = false;
  #judged = -1;
  #snapshotIndex = 0;
  #lawFinding: LawBreach | undefined;
  #harmFinding: LawBreach | undefined;

  constructor(plan: StudyPlan, options: StudyOptions) {
    this.#plan = plan;
    this.#options = options;
    this.#law = new Law(plan.log);
    const before = { counters: this.#counters, snapshotIndex: 0 };
    this.#life = startLife(plan, new Map(), before);
    this.#next = this.#firstSteps();
  }

  run(choose: Chooser): StudyResult {
    while (!this.#isDone()) {
      const ready = actorNames.filter((name) => this.#next.get(name)?.isReady() === true);
      const choice = choose(ready);
      if (choice === undefined) break;
      this.#choices.push(choice);
      if (choice === "crash") this.#crash();
      else this.#move(choice);
    }
    return {
      law: this.#lawFinding,
      harm: this.#harmFinding,
      choices: this.#choices,
      events: this.#events,
      counters: this.#counters,
    };
  }

  #isDone(): boolean {
    const found = this.#options.until === "law" ? this.#lawFinding : this.#harmFinding;
    if (found !== undefined || this.#isOver) return true;
    return !this.#next.has("apply") && this.#life.member.store.pending === 0;
  }

  #firstSteps(): Map<ActorName, StudyStep> {
    const next = new Map<ActorName, StudyStep>();
    for (const actor of this.#life.actors) {
      const first = actor.steps.next();
      if (first.done !== true) next.set(actor.name, first.value);
    }
    return next;
  }

  #move(name: ActorName): void {
    const step = this.#next.get(name) as StudyStep;
    step.run();
    const following = this.#life.actors.find((actor) => actor.name === name)?.steps.next();
    if (following === undefined || following.done === true) this.#next.delete(name);
    else this.#next.set(name, following.value);
    this.#trace(name, step.text(), step);
    this.#judge();
  }

  #crash(): void {
    const { store, snapshotIndex } = this.#life.member;
    const image = store.images()[0] ?? new Map();
    // A life that starts with a wrong state says nothing about its own steps.
    this.#isOver = this.#law.check(image, snapshotIndex) !== undefined;
    this.#life = startLife(this.#plan, image, { counters: this.#counters, snapshotIndex });
    this.#next = this.#firstSteps();
    this.#judged = -1;
    this.#trace("crash", `restart from index ${indexOf(image)}`, {});
  }

  #judge(): void {
    const { store, snapshotIndex } = this.#life.member;
    if (store.version === this.#judged && snapshotIndex === this.#snapshotIndex) return;
    this.#judged = store.version;
    this.#snapshotIndex = snapshotIndex;
    for (const image of store.images()) {
      const finding = this.#law.check(image, snapshotIndex);
      if (finding === undefined) continue;
      this.#lawFinding ??= finding;
      if (finding.isHarmful) this.#harmFinding ??= finding;
    }
  }

  #trace(actor: Choice, text: string, step: Pick<StudyStep, "entry" | "limit">): void {
    if (this.#options.isTraced !== true) return;
    const { store } = this.#life.member;
    const disk = store.images()[0] ?? new Map();
    const { entry, limit } = step;
    this.#events.push({ actor, text, entry, limit, unsaved: store.unsaved(), disk });
  }
}
