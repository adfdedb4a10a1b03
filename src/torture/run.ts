/**
 * One torture run: clients and watches against a cluster, faults by a plan, and the judgement of what
 * the clients saw. Everything is drawn from the seed; only the answers' times are the machine's.
 */
import type { Clock } from "../platform/clock.js";
import type { History } from "../verify/history/types.js";
import { Dice } from "../verify/sim/plan/dice.js";
import { checkEnd } from "./end-check.js";
import { FaultDriver } from "./fault-driver.js";
import { drawFaultPlan, type FaultKind, type FaultPlan } from "./fault-plan.js";
import { KvClient } from "./kv-client.js";
import { pauseFor } from "./pause.js";
import type { Stage } from "./ports.js";
import { Recorder } from "./recorder.js";
import { TortureWatcher } from "./watcher.js";

export interface TortureOptions {
  readonly seed: number;
  readonly durationMs: number;
  readonly faults: readonly FaultKind[];
  readonly clients: number;
  readonly watchers: number;
  readonly keys: number;
  /** Milliseconds between an answer and a client's next request. */
  readonly paceMs: number;
}

export interface RunParts {
  readonly clock: Clock;
  readonly stage: Stage;
  /** Called about once a second. */
  progress(line: TortureProgress): void;
  /** True: end the run early, and judge nothing. */
  isAborted(): boolean;
}

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
  /** By kind: how many members were harmed. */
  readonly hits: ReadonlyMap<string, number>;
  /** What was seen beside the history: ends of processes, members that do not recover or differ. */
  readonly findings: readonly string[];
}

const progressMs = 1_000;

export async function runTorture(options: TortureOptions, parts: RunParts): Promise<TortureResult> {
  const { clock, stage } = parts;
  const dice = new Dice(options.seed);
  const recorder = new Recorder(clock);
  const findings: string[] = [];
  stage.onUnexpectedEnd((member, how) => {
    findings.push(`${member} ended by itself: ${how}`);
    recorder.mark("violation", `ended by itself: ${how}`, member);
  });
  const plan = drawFaultPlan(dice.fork("faults").sequence(), {
    ...{ seed: options.seed, durationMs: options.durationMs },
    ...{ members: stage.members, kinds: options.faults },
  });
  const clients = Array.from({ length: options.clients }, (_, number) => {
    const rng = dice.fork("client").fork(number).sequence();
    const { keys, paceMs } = options;
    return new KvClient({ clock, stage, recorder, rng, number, keys, paceMs });
  });
  const watchers = Array.from({ length: options.watchers }, (_, number) => {
    return new TortureWatcher({ clock, stage, recorder, number, prevKv: number % 2 === 1 });
  });
  const isOver = (): boolean => parts.isAborted() || findings.length > 0;
  const found = (text: string): void => {
    findings.push(text);
  };
  const faults = new FaultDriver({ clock, stage, recorder, isOver, found });
  const endMs = clock.now() + options.durationMs;
  const running = clients.map((client) => client.run());
  for (const watcher of watchers) watcher.start();
  try {
    const telling = tellProgress(parts, { recorder, faults, plan, findings, endMs, isOver });
    await faults.run(plan);
    await telling;
  } finally {
    for (const client of clients) client.end();
    await Promise.all(running);
    if (!isOver()) findings.push(...(await checkEnd({ clock, stage, recorder, watchers })));
    for (const watcher of watchers) watcher.end();
  }
  return { history: recorder.history(), plan, hits: faults.hits, findings };
}

/** Resolves at the end of the run's time, or when it is over before. */
async function tellProgress(
  { clock, progress }: RunParts,
  run: {
    readonly recorder: Recorder;
    readonly faults: FaultDriver;
    readonly plan: FaultPlan;
    readonly findings: readonly string[];
    readonly endMs: number;
    isOver(): boolean;
  },
): Promise<void> {
  const { recorder, faults, plan, findings, endMs } = run;
  while (clock.now() < endMs && !run.isOver()) {
    await pauseFor(clock, Math.min(progressMs, endMs - clock.now()));
    const { operations, acknowledged } = recorder.counts();
    progress({
      ...{ operations, acknowledged, findings: findings.length },
      ...{ faultsDone: faults.done, faultsPlanned: plan.faults.length },
      leftMs: Math.max(0, endMs - clock.now()),
    });
  }
}
