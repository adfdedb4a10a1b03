/**
 * Makes a failing plan small: the same invariant must still be violated; nothing else counts. Draws
 * have addresses and are not a stream, so taking parts out changes no other draw. Therefore delta
 * debugging (Zeller and Hildebrandt, 2002) works on faults and requests alike.
 */
import type { Fault, Plan, Swarm } from "./plan.js";

export interface ShrinkOptions {
  /** Runs a plan; returns the name of the violated invariant, or undefined. */
  readonly run: (plan: Plan) => { readonly invariant: string | undefined; readonly atMs: number };
  /** Limit of runs. */
  readonly runsMax: number;
}

/** The smallest failing plan that was found. `runs`: plans that were tried. */
export interface Shrunk {
  readonly plan: Plan;
  readonly runs: number;
}

/** Number of faults and requests of a plan: what a person has to read. */
export function sizeOf(plan: Plan): number {
  return plan.faults.length + plan.ops.length;
}

export function shrink(plan: Plan, invariant: string, options: ShrinkOptions): Shrunk {
  return new Shrinker(plan, invariant, options).go();
}

class Shrinker {
  #plan: Plan;
  readonly #invariant: string;
  readonly #options: ShrinkOptions;
  #runs = 0;

  constructor(plan: Plan, invariant: string, options: ShrinkOptions) {
    this.#plan = plan;
    this.#invariant = invariant;
    this.#options = options;
  }

  go(): Shrunk {
    this.#truncate();
    for (;;) {
      const before = sizeOf(this.#plan);
      this.#simplifyWorld();
      this.#thin("faults");
      this.#thin("ops");
      this.#shorten();
      if (sizeOf(this.#plan) === before || this.#isSpent()) break;
    }
    return { plan: this.#plan, runs: this.#runs };
  }

  #isSpent(): boolean {
    return this.#runs >= this.#options.runsMax;
  }

  /** Keeps the candidate if it fails in the same way. */
  #try(candidate: Plan): boolean {
    if (this.#isSpent()) return false;
    this.#runs++;
    const holds = this.#options.run(candidate).invariant === this.#invariant;
    if (holds) this.#plan = candidate;
    return holds;
  }

  /**
   * Nothing after the failure matters, unless the failure is that something is missing at the end.
   */
  #truncate(): void {
    this.#runs++;
    const { invariant, atMs } = this.#options.run(this.#plan);
    if (invariant !== this.#invariant || atMs >= this.#plan.swarm.durationMs) return;
    const { faults, ops } = this.#plan;
    this.#try({
      ...this.#plan,
      faults: faults.filter((fault) => fault.atMs <= atMs),
      ops: ops.filter((op) => op.atMs <= atMs),
    });
  }

  /** Tries fewer kinds of faults, then a smaller cluster. */
  #simplifyWorld(): void {
    const calm: readonly Partial<Swarm["weather"]>[] = [
      { lossPerMille: 0 },
      { duplicatePerMille: 0 },
      { isOrdered: true },
    ];
    for (const part of calm) {
      const { swarm } = this.#plan;
      const weather = { ...swarm.weather, ...part };
      if (!sameValues(weather, swarm.weather)) this.#try(this.#with({ weather }));
    }
    const worlds: readonly Partial<Swarm>[] = [
      { driftPerMille: 0 },
      { clients: 1 },
      { keys: 1 },
      { members: 1 },
      { members: 3 },
    ];
    for (const part of worlds) {
      const { swarm } = this.#plan;
      const isSmaller = part.members === undefined || part.members < swarm.members;
      const next = { ...swarm, ...part };
      if (isSmaller && !sameValues(next, swarm)) this.#try(this.#with(part));
    }
  }

  #with(part: Partial<Swarm>): Plan {
    return { ...this.#plan, swarm: { ...this.#plan.swarm, ...part } };
  }

  /** Removes chunks, halving them; a fault and its end are one item. */
  #thin(list: "faults" | "ops"): void {
    let chunk = Math.ceil(this.#plan[list].length / 2);
    while (chunk >= 1 && !this.#isSpent()) {
      let isRemoved = false;
      for (let at = 0; at < this.#plan[list].length && !this.#isSpent(); ) {
        const items: readonly unknown[] = this.#plan[list];
        const rest = [...items.slice(0, at), ...items.slice(at + chunk)];
        if (this.#try({ ...this.#plan, [list]: rest } as Plan)) isRemoved = true;
        else at += chunk;
      }
      if (chunk === 1 && !isRemoved) return;
      chunk = isRemoved && chunk === 1 ? 1 : Math.floor(chunk / 2);
    }
  }

  /** Shortens durations to the shortest of a few round values that still fails. */
  #shorten(): void {
    for (const [at, fault] of this.#plan.faults.entries()) {
      for (const shorter of shorterOf(fault)) {
        const faults = this.#plan.faults.map((other, place) => (place === at ? shorter : other));
        if (this.#try({ ...this.#plan, faults })) break;
      }
    }
  }
}

const durations = [10, 300, 1_000, 3_000] as const;

function shorterOf(fault: Fault): readonly Fault[] {
  if ("downMs" in fault) {
    return durations.filter((ms) => ms < fault.downMs).map((downMs) => ({ ...fault, downMs }));
  }
  if ("forMs" in fault) {
    return durations.filter((ms) => ms < fault.forMs).map((forMs) => ({ ...fault, forMs }));
  }
  return [];
}

function sameValues(a: object, b: object): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
