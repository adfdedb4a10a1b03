/**
 * Runs a plan: builds the cluster, clients, operator and checks, runs all events, heals, and judges
 * the history. It is a pure function of the plan: it uses no clock, no other randomness, no I/O.
 */

import { DamageError, StartError } from "../../base/errors.js";
import { defaultMemberConfig, type MemberConfig } from "../../member/config.js";
import type { History, Mark } from "../history/types.js";
import { requestLabel } from "../report/operation-text.js";
import type { MemberRow, TraceEvent } from "../report/trace.js";
import { AllChecks } from "./checks/all-checks.js";
import { judgeSimHistory } from "./checks/history-checks.js";
import { ClientTransport } from "./clients/client-transport.js";
import { SimClients } from "./clients/sim-clients.js";
import { SimWatchers } from "./clients/sim-watchers.js";
import { UserClients } from "./clients/user-clients.js";
import { SimFaultDriver } from "./fault-driver.js";
import type { Invariant } from "./invariants.js";
import { heal } from "./liveness.js";
import { Operator } from "./operator.js";
import { Atlas } from "./plan/atlas.js";
import type { Plan, SimFaultKind, Swarm } from "./plan/plan.js";
import { SimCluster } from "./sim-cluster.js";
import type { SimNode } from "./sim-node.js";
import { memberRows, TraceRecorder } from "./trace-recorder.js";
import { Violation } from "./violation.js";

export interface RunOptions {
  /** Invariants that do not report. */
  readonly without?: ReadonlySet<string>;
  /** Log lines of members, and faults: for a person who looks at one run. */
  readonly log?: (line: string) => void;
  /** Records everything that happens. */
  readonly isRecorded?: boolean;
}

export interface RunResult {
  readonly violation: Violation | undefined;
  readonly history: History;
  readonly traceHash: number;
  readonly events: number;
  readonly messages: number;
  readonly simulatedMs: number;
  readonly acknowledged: number;
  /** The kinds of faults that took effect. */
  readonly faults: readonly SimFaultKind[];
  readonly committed: number;
  /** The time of the violation, or of the end of the run. */
  readonly atMs: number;
  /** Empty unless requested. */
  readonly trace: readonly TraceEvent[];
  readonly members: readonly MemberRow[];
}

/** More events than any plan can need: something runs in a loop. */
const eventsMax = 5_000_000;

export function runPlan(plan: Plan, options: RunOptions = {}): RunResult {
  const run = new Run(plan, options);
  let violation: Violation | undefined;
  try {
    run.go();
  } catch (error) {
    violation = error instanceof Violation ? error : asCrash(error as Error);
    run.mark("violation", `${violation.invariant}: ${violation.message}`, violation.node);
  }
  return run.result(violation);
}

function asCrash(error: Error): Violation {
  return new Violation("crash", `${error.name}: ${error.message}`);
}

/** A member's log line when the handling of a request failed with an error that is no answer. */
const bugs: ReadonlySet<string> = new Set([
  "a request failed on an internal error",
  "a read failed",
]);

class Run {
  readonly #plan: Plan;
  readonly #log: ((line: string) => void) | undefined;
  readonly #cluster: SimCluster;
  readonly #checks: AllChecks;
  readonly #clients: SimClients;
  readonly #watchers: SimWatchers;
  readonly #users: UserClients;
  readonly #operator: Operator;
  readonly #faults: SimFaultDriver;
  readonly #transport: ClientTransport;
  readonly #marks: Mark[] = [];
  readonly #recorder: TraceRecorder | undefined;

  constructor(plan: Plan, options: RunOptions) {
    this.#plan = plan;
    this.#log = options.log;
    const { swarm } = plan;
    this.#cluster = new SimCluster({
      seed: plan.seed,
      members: swarm.members,
      config: memberConfig(swarm),
      weather: swarm.weather,
      syncUs: [swarm.syncMinUs, swarm.syncMaxUs],
      driftPerMille: swarm.driftPerMille,
      observer: {
        stepped: (node) => {
          this.#recorder?.stepped(node);
          this.#recorder?.turned();
          this.#checks.stepped(node);
        },
        worldStepped: () => {
          this.#recorder?.turned();
          this.#checks.seen();
        },
        starting: (node) => this.#checks.starting(node),
        started: (node) => {
          this.#recorder?.record("start", "started", node);
          this.#checks.started(node);
        },
        ended: (node, how) => this.#ended(node, how),
        sent: (from, to, bytes) => {
          const target = this.#cluster.nodes.find(({ memberId }) => memberId === to);
          const message = this.#recorder?.sent(from, target, bytes) ?? 0;
          this.#checks.sent(from, bytes);
          return message;
        },
        arrived: (to, message, how) => this.#recorder?.arrived(to, message, how),
        synced: (node, what) => {
          this.#recorder?.record(what === "wal" ? "fsync" : "commit", "durable", node);
          this.#checks.synced(node, what);
        },
        applied: (...applied) => this.#checks.applied(...applied),
        logged: (node, level, message, fields = {}) => {
          if (bugs.has(message)) this.#checks.report("U2", `${message}: ${fields.error}`, node);
          if (options.log === undefined) return;
          const told = Object.entries(fields).map(([name, value]) => ` ${name}=${String(value)}`);
          options.log(`${this.#stamp()} ${node.name} ${level} ${message}${told.join("")}`);
        },
      },
    });
    const cluster = this.#cluster;
    this.#recorder = options.isRecorded ? new TraceRecorder(cluster.clock) : undefined;
    this.#checks = new AllChecks(cluster, options.without ?? new Set(), swarm);
    this.#transport = new ClientTransport(cluster.clock, cluster.dice.fork("clients"), {
      credentials: swarm.hasUsers === true ? { commonName: "root" } : {},
      // As the process does it: a member that can heal handles the damage itself.
      failed: (node, error) => {
        if (error instanceof DamageError) node.member?.fail(error);
        else cluster.fail(node, error);
      },
      served: (node, path) => this.#checks.served(node, path),
    });
    this.#watchers = new SimWatchers(cluster, this.#transport);
    const watched = { cluster, transport: this.#transport, watchers: this.#watchers };
    this.#clients = new SimClients(watched, swarm);
    const parts = { cluster, transport: this.#transport, clients: this.#clients };
    this.#users = new UserClients(parts, (node, shown) => this.#checks.shown(node, shown));
    this.#clients.onAsked = (request) => {
      this.#recorder?.record("client", requestLabel(request));
      this.#checks.asked(request);
    };
    this.#clients.onAnswered = (operation) => {
      const { request, outcome } = operation;
      this.#recorder?.record("client", `${outcome.kind}: ${requestLabel(request)}`);
      this.#checks.answered(operation);
    };
    this.#operator = new Operator(cluster, this.#transport);
    const told = (kind: "fault" | "heal", text: string, node: SimNode | undefined): void =>
      this.mark(kind, text, node?.name);
    const atlas = new Atlas(cluster, this.#checks.ghost);
    const rolledBack = (): void => {
      this.#checks.ghost.isRolledBack = true;
    };
    const report = (invariant: Invariant, text: string, node: SimNode): void =>
      this.#checks.report(invariant, text, node);
    const world = { cluster, operator: this.#operator, atlas, told, rolledBack, report };
    this.#faults = new SimFaultDriver(world, plan);
  }

  go(): void {
    const { swarm, ops } = this.#plan;
    const { clock } = this.#cluster;
    this.#cluster.startAll();
    this.#faults.schedule();
    if (swarm.hasUsers === true) this.#users.found();
    this.#clients.schedule(ops);
    clock.runUntil(() => clock.steps > eventsMax, swarm.durationMs);
    if (swarm.isBeyondAtlas) {
      this.#clients.abandon();
      this.#judge();
    } else {
      const missing = heal({
        cluster: this.#cluster,
        faults: this.#faults,
        operator: this.#operator,
        clients: this.#clients,
        watchers: this.#watchers,
      });
      if (missing !== undefined) this.#checks.report("liveness", missing);
      this.#checks.finished();
      this.#judge();
    }
    if (clock.steps > eventsMax) this.#checks.report("liveness", "events go round in a circle");
  }

  mark(kind: Mark["kind"], text: string, member: string | undefined): void {
    const atUs = this.#cluster.clock.nowUs();
    const node = this.#cluster.nodes.find(({ name }) => name === member);
    if (kind === "fault" || kind === "heal" || kind === "violation") {
      this.#recorder?.record(kind, text, node);
    }
    this.#log?.(`${this.#stamp()} ${member ?? "-"} ${kind} ${text}`);
    this.#marks.push({ atUs, kind, text, ...(member === undefined ? {} : { member }) });
  }

  #stamp(): string {
    return (this.#cluster.clock.nowUs() / 1000).toFixed(3).padStart(10);
  }

  result(violation: Violation | undefined): RunResult {
    const { clock, network, traceHash } = this.#cluster;
    return {
      violation,
      history: this.#history(),
      traceHash,
      events: clock.steps,
      messages: network.messages,
      simulatedMs: clock.now(),
      acknowledged: this.#clients.acknowledged,
      faults: [...this.#faults.occurred].sort(),
      committed: this.#checks.ghost.committedMax,
      atMs: clock.now(),
      trace: this.#recorder?.events ?? [],
      members: memberRows(this.#cluster),
    };
  }

  #history(): History {
    const { operations } = this.#clients;
    return { operations, watches: this.#watchers.watches, marks: this.#marks };
  }

  #judge(): void {
    // Acknowledged writes are gone, and every history shows it.
    if (this.#checks.ghost.isRolledBack) return;
    const compacts = this.#plan.swarm.autoCompaction !== undefined;
    for (const finding of judgeSimHistory(this.#history(), this.#checks.ghost, compacts)) {
      this.#checks.reportSeen(finding);
    }
  }

  #ended(node: SimNode, how: "power" | "kill" | "stop" | "error"): void {
    this.#transport.nodeEnded(node);
    this.#recorder?.ended(node, how);
    if (how !== "error") {
      this.#checks.ended(node, how);
      return;
    }
    const error = node.failure as Error;
    // The member takes a check's error inside its turn for a bug of its own.
    if (error instanceof Violation) throw error;
    if (!isExcused(node, error)) {
      this.#log?.(error.stack ?? error.message);
      this.#checks.report("crash", `${node.name} stops: ${error.name}: ${error.message}`, node);
    }
    this.mark("fault", `stops: ${error.message}`, node.name);
    // The operator acts when the life has really ended.
    this.#cluster.clock.at(0, () => this.#operator.failed(node, error));
  }
}

/**
 * Injected faults explain some ends: a disk that fails or breaks its promises, peers that do not
 * answer.
 */
function isExcused(node: SimNode, error: Error): boolean {
  const { code } = error as { code?: string };
  if (code !== undefined && node.excuses.has(code)) return true;
  if (error instanceof DamageError) return node.isDamaged;
  return error instanceof StartError;
}

function memberConfig(swarm: Swarm): Partial<MemberConfig> {
  return {
    electionMs: swarm.electionMs,
    heartbeatMs: swarm.heartbeatMs,
    snapshotCount: swarm.snapshotCount,
    snapshotCatchupEntries: swarm.snapshotCatchupEntries,
    backendBatchMs: swarm.backendBatchMs,
    backendBatchLimit: swarm.backendBatchLimit,
    compactionBatchLimit: swarm.compactionBatchLimit,
    walSegmentBytes: swarm.walSegmentBytes,
    apply: {
      sliceUnits: swarm.applySliceUnits,
      turnMs: 0,
      pauseMs: swarm.applyPauseMs,
      eventsMax: swarm.applyEventsMax,
    },
    ...(swarm.hasUsers === true
      ? { auth: { ...defaultMemberConfig.auth, usesCertificates: true } }
      : {}),
    ...(swarm.autoCompaction === undefined
      ? {}
      : { autoCompaction: { ...swarm.autoCompaction, revisionLookMs: 700 } }),
    jobs: { stepUnits: swarm.applySliceUnits, turnMs: 0 },
    limits: {
      requestBytesMax: 1_572_864,
      txnOpsMax: 128,
      quotaBytes: swarm.quotaBytes,
      progressNotifyMs: swarm.progressNotifyMs,
    },
  };
}
