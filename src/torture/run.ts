/**
 * One torture run: clients and watches against a cluster, faults by a plan, and the judgement of
 * what the clients saw. The run draws everything from the seed; only the times of the answers
 * depend on the machine.
 */
import type { Clock } from "../platform/clock.js";
import type { Hash } from "../platform/hash.js";
import type { History } from "../verify/history/types.js";
import { Dice } from "../verify/sim/plan/dice.js";
import { FaultDriver } from "./faults/fault-driver.js";
import type { FaultKind } from "./faults/fault-kinds.js";
import { drawFaultPlan, type FaultPlan } from "./faults/fault-plan.js";
import { compareMembers, type NamedConnection } from "./judge/comparison.js";
import { checkEnd } from "./judge/end-check.js";
import { renumbered } from "./judge/renumber.js";
import { pauseFor } from "./pause.js";
import type { Stage } from "./ports.js";
import { Recorder } from "./recorder.js";
import type { ActorParts, TrafficActor } from "./traffic/actor.js";
import { freshReads } from "./traffic/draw-request.js";
import { KvClient } from "./traffic/kv-client.js";
import { LeaseClient } from "./traffic/lease-client.js";
import type { Profile } from "./traffic/profiles.js";
import { UpkeepClient } from "./traffic/upkeep-client.js";
import { TortureWatcher } from "./traffic/watcher.js";

export interface TortureOptions {
  readonly seed: number;
  readonly durationMs: number;
  readonly faults: readonly FaultKind[];
  /** Faults to repeat, instead of those that the seed draws. */
  readonly plan?: FaultPlan;
  readonly profile: Profile;
  readonly clients: number;
  readonly watchers: number;
  readonly keys: number;
  /** Milliseconds between an answer and a client's next request. */
  readonly paceMs: number;
  /**
   * Set on a cluster that others use, too. Undefined: nobody else writes, and the store is empty at
   * the beginning.
   */
  readonly shared?: SharedCluster;
}

/** What a run needs to know of a cluster that others use, too. */
export interface SharedCluster {
  /** The revision of the store before the run. */
  readonly revision: number;
}

export interface RunParts {
  readonly clock: Clock;
  readonly stage: Stage;
  readonly createSha256: Hash["createSha256"];
  /** Called about once a second. */
  progress(line: TortureProgress): void;
  /** True: the run ends early, and judges nothing. */
  isAborted(): boolean;
}

/** Counts since the beginning of the run. `leftMs`: milliseconds until the traffic ends. */
export interface TortureProgress {
  readonly operations: number;
  readonly acknowledged: number;
  readonly faultsDone: number;
  readonly faultsPlanned: number;
  readonly findings: number;
  readonly leftMs: number;
}

export interface TortureResult {
  readonly history: History;
  readonly plan: FaultPlan;
  /** How many members were harmed, by kind of fault. */
  readonly hits: ReadonlyMap<string, number>;
  /** How often all members were compared after a fault. */
  readonly comparisons: number;
  /** Findings beside the history: ends of processes, members that do not recover or that differ. */
  readonly findings: readonly string[];
}

const progressMs = 1_000;
const compareWithinMs = 10_000;
const readerNumbers = 400;
const readerPaceMs = 20;
const leaseNumbers = 500;
const upkeepNumbers = 700;

/**
 * Runs traffic and faults until the plan is over. The members of the stage must run. A member that
 * does not come back is a finding, as is one that ends by itself.
 */
export async function runTorture(options: TortureOptions, parts: RunParts): Promise<TortureResult> {
  const run = new Run(options, parts);
  return run.play();
}

class Run {
  readonly #options: TortureOptions;
  readonly #parts: RunParts;
  readonly #dice: Dice;
  readonly #recorder: Recorder;
  readonly #findings: string[] = [];
  readonly #faults: FaultDriver;
  readonly #connections: readonly NamedConnection[];
  #comparisons = 0;
  #isComparing = false;

  constructor(options: TortureOptions, parts: RunParts) {
    this.#options = options;
    this.#parts = parts;
    const { clock, stage } = parts;
    this.#dice = new Dice(options.seed);
    this.#recorder = new Recorder(clock);
    this.#connections = stage.members.map((member) => [member, stage.connect(member)]);
    stage.onUnexpectedEnd((member, how) => {
      this.#found(`${member} ended by itself: ${how}`);
      this.#recorder.mark("violation", `ended by itself: ${how}`, member);
    });
    this.#faults = new FaultDriver({
      ...{ clock, stage, recorder: this.#recorder, isOver: () => this.#isOver() },
      found: (text) => this.#found(text),
      calm: () => this.#compare(),
    });
  }

  async play(): Promise<TortureResult> {
    const { clock, stage } = this.#parts;
    const { seed, durationMs, faults: kinds } = this.#options;
    const plan =
      this.#options.plan ??
      drawFaultPlan(this.#dice.fork("faults").sequence(), {
        ...{ seed, durationMs, members: stage.members, kinds },
      });
    const leases = this.#leaseClients();
    const actors: readonly TrafficActor[] = [
      ...this.#kvClients(),
      ...this.#readers(),
      ...leases,
      ...this.#upkeepClients(),
    ];
    const watchers = this.#watchers();
    const endMs = clock.now() + durationMs;
    const running = actors.map((actor) => actor.run());
    for (const watcher of watchers) watcher.start();
    try {
      const telling = this.#tellProgress(plan, endMs);
      await this.#faults.run(plan);
      await telling;
    } finally {
      for (const actor of actors) actor.end();
      await Promise.all(running);
      await this.#judgeEnd(leases, watchers);
      for (const watcher of watchers) watcher.end();
      for (const [, connection] of this.#connections) connection.close();
    }
    return {
      ...{ history: this.#history(), plan, hits: this.#faults.hits },
      ...{ comparisons: this.#comparisons, findings: this.#findings },
    };
  }

  async #judgeEnd(
    leases: readonly LeaseClient[],
    watchers: readonly TortureWatcher[],
  ): Promise<void> {
    if (this.#isOver()) return;
    const { clock, stage } = this.#parts;
    const left = await Promise.all(leases.map((client) => client.leftovers()));
    this.#findings.push(...left.flat());
    const recorder = this.#recorder;
    const isShared = this.#options.shared !== undefined;
    this.#findings.push(...(await checkEnd({ clock, stage, recorder, watchers, isShared })));
  }

  #history(): History {
    const history = this.#recorder.history();
    return this.#options.shared === undefined ? history : renumbered(history);
  }

  #isOver(): boolean {
    return this.#parts.isAborted() || this.#findings.length > 0;
  }

  #found(text: string): void {
    this.#findings.push(text);
  }

  #actorParts(label: string, number: number, base: number): ActorParts {
    const { clock, stage } = this.#parts;
    const rng = this.#dice.fork(label).fork(number).sequence();
    return { clock, stage, rng, recorder: this.#recorder, number: base + number };
  }

  #kvClients(): readonly KvClient[] {
    const { clients, keys, paceMs, profile } = this.#options;
    return Array.from({ length: clients }, (_, number) => {
      const parts = this.#actorParts("client", number, 0);
      return new KvClient({ ...parts, keys, paceMs, mix: profile.mix });
    });
  }

  /**
   * Makes one reader for each member. Readers write nothing, so a member that is cut off keeps none
   * of them waiting for a write.
   */
  #readers(): readonly KvClient[] {
    const { keys } = this.#options;
    return this.#parts.stage.members.map((at, number) => {
      const parts = this.#actorParts("reader", number, readerNumbers);
      return new KvClient({ ...parts, at, keys, paceMs: readerPaceMs, mix: freshReads });
    });
  }

  #leaseClients(): readonly LeaseClient[] {
    return Array.from({ length: this.#options.profile.leaseClients }, (_, number) => {
      return new LeaseClient(this.#actorParts("lease", number, leaseNumbers));
    });
  }

  #upkeepClients(): readonly UpkeepClient[] {
    // On a shared cluster there is no upkeep: compaction and defragmentation would disturb others.
    const length = this.#options.shared === undefined ? this.#options.profile.upkeepClients : 0;
    return Array.from({ length }, (_, number) => {
      const parts = this.#actorParts("upkeep", number, upkeepNumbers);
      return new UpkeepClient({ ...parts, createSha256: this.#parts.createSha256 });
    });
  }

  #watchers(): readonly TortureWatcher[] {
    const { clock, stage } = this.#parts;
    const recorder = this.#recorder;
    const revision = (this.#options.shared?.revision ?? 0) + 1;
    return Array.from({ length: this.#options.watchers }, (_, number) => {
      const prevKv = number % 2 === 1;
      return new TortureWatcher({ clock, stage, recorder, number, prevKv, revision });
    });
  }

  /** Compares the members. Gives up if the next fault comes first. */
  #compare(): void {
    if (this.#isComparing || this.#connections.length < 2) return;
    this.#isComparing = true;
    const { clock } = this.#parts;
    const isGivenUp = (): boolean => this.#isOver() || this.#faults.isDisturbed();
    const options = { clock, withinMs: compareWithinMs, isGivenUp };
    compareMembers(this.#connections, options).then(
      (found) => {
        this.#isComparing = false;
        if (found === undefined) return;
        this.#comparisons++;
        this.#findings.push(...found);
      },
      (error: Error) => this.#found(`the members could not be compared: ${error.message}`),
    );
  }

  /** Reports progress. Resolves at the end of the run's time, or earlier if the run is over. */
  async #tellProgress(plan: FaultPlan, endMs: number): Promise<void> {
    const { clock, progress } = this.#parts;
    while (clock.now() < endMs && !this.#isOver()) {
      await pauseFor(clock, Math.min(progressMs, endMs - clock.now()));
      const { operations, acknowledged } = this.#recorder.counts();
      progress({
        ...{ operations, acknowledged, findings: this.#findings.length },
        ...{ faultsDone: this.#faults.done, faultsPlanned: plan.faults.length },
        leftMs: Math.max(0, endMs - clock.now()),
      });
    }
  }
}
