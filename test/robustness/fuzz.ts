/**
 * Three members as processes; calls of clients and operators, and faults, against each other at random.
 * Judged is that no member ends by itself, that no call is answered with anything it must not be, that no
 * log holds anything but log lines, that no acknowledged put is lost, and that in the end all members are
 * healthy and hold the same.
 */
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { status as Code } from "@grpc/grpc-js";
import { compareHashes } from "../crash/rounds.js";
import { bytes, isServiceError } from "../support/client.js";
import { Cluster, type ClusterMember } from "../support/cluster.js";
import { SeededRng } from "../support/seeded-rng.js";
import { serverCommand } from "../support/server-kind.js";
import { CountingLoad } from "./counting-load.js";
import { drawLacking, fuzzCalls, LieError, textOf } from "./fuzz-calls.js";
import { type FaultWorld, faultNames, runFault, served } from "./fuzz-faults.js";
import { noteOf } from "./incident.js";
import { logFindings } from "./log-findings.js";
import { Overlaps } from "./overlaps.js";
import { Seed } from "./seed.js";

export interface FuzzOptions {
  readonly seed: number;
  readonly durationMs: number;
  /** That never change, beside those that do. */
  readonly keys: number;
  /** Megabytes for JavaScript objects of each member; undefined: Node's own limit. */
  readonly heapMb: number | undefined;
  /** Names of those that are drawn; undefined: all. */
  readonly calls?: readonly string[] | undefined;
  readonly faults?: readonly string[] | undefined;
  /** Calls at a time. */
  readonly width: number;
  /** Pairs that overlapped less often are preferred, and are told in the end. */
  readonly overlapsWanted: number;
  /** Mean time between the end of a fault and the next. */
  readonly faultEveryMs: number;
  /** Where logs and data are kept when something was found. */
  readonly folder: string;
  readonly report: (line: string) => void;
}

export interface FuzzResult {
  readonly violations: readonly string[];
  readonly table: string;
  /** Pairs that overlapped less often than the test wants. */
  readonly thin: readonly string[];
  readonly calls: number;
  readonly acknowledged: number;
}

/** Frequent states, short logs, etcd's own checks beside ours. */
const flags = [
  "--snapshot-count=200",
  "--snapshot-catchup-entries=50",
  "--compaction-batch-limit=100",
  "--corrupt-check-time=3s",
];
const lastCallsMs = 120_000;
/** A read of a state that was let go of may still come upon its damage. */
const afterDamageMs = 15_000;
const violationsMax = 20;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export async function fuzz(options: FuzzOptions): Promise<FuzzResult> {
  mkdirSync(options.folder, { recursive: true });
  const cluster = new Cluster({ kind: "lockstep", flags, parentFolder: options.folder });
  const run = new Fuzz(cluster, options);
  try {
    return await run.go();
  } finally {
    if (run.violations.length > 0) run.keepLogs();
    run.isJudging = false;
    await cluster.dispose();
  }
}

class Fuzz implements FaultWorld {
  readonly cluster: Cluster;
  readonly seed: Seed;
  readonly overlaps: Overlaps;
  readonly violations: string[] = [];
  /** Members may end by themselves when it is over. */
  isJudging = true;
  readonly #options: FuzzOptions;
  readonly #rng: SeededRng;
  /** Members that may be down, or may say that they are damaged. */
  readonly #down = new Set<ClusterMember>();
  readonly #damagedUntil = new Map<ClusterMember, number>();
  /** Ends that were asked for. */
  readonly #ending = new Set<ClusterMember>();
  readonly #answers = new Map<string, number>();
  readonly #calls = new Set<Promise<void>>();
  #load: CountingLoad | undefined;
  #revision = 1;
  #untilMs = 0;
  #made = 0;

  constructor(cluster: Cluster, options: FuzzOptions) {
    this.cluster = cluster;
    this.#options = options;
    this.#rng = new SeededRng(options.seed);
    this.overlaps = new Overlaps(options.overlapsWanted);
    this.seed = new Seed({ count: options.keys, valueBytes: () => 256 });
  }

  async go(): Promise<FuzzResult> {
    const { durationMs, report } = this.#options;
    await this.#startAll();
    await this.seed.write((await this.cluster.leader(60_000)).client);
    this.#load = new CountingLoad(() => this.#up(), { writers: 8, paceMs: 20, textOf });
    this.#untilMs = Date.now() + durationMs;
    report(
      `${this.#options.keys} keys are there; ${Math.round(durationMs / 1000)} s of calls begin`,
    );
    const telling = setInterval(() => this.#tell(), 10_000);
    try {
      await Promise.all([this.#drawCalls(), this.#drawFaults(), this.#followRevision()]);
      await this.#settle();
    } catch (error) {
      this.#found(`the run could not go on: ${(error as Error).stack}`);
    } finally {
      clearInterval(telling);
    }
    await this.#load.end();
    this.violations.push(...this.cluster.members.flatMap(logFindings));
    this.#tell();
    for (const [answer, count] of [...this.#answers].sort()) report(`${count} x ${answer}`);
    const { calls = fuzzCalls.map(({ name }) => name), faults = faultNames } = this.#options;
    return {
      violations: this.violations,
      table: this.overlaps.table([...calls, ...faults]),
      thin: this.overlaps.thin(calls, faults),
      calls: this.#made,
      acknowledged: this.#load.acknowledged(),
    };
  }

  // What faults do to the cluster.

  isOver(): boolean {
    return this.violations.length > 0;
  }

  troubled(member: ClusterMember, kind: "down" | "damaged"): { over(): void } {
    this.#down.add(member);
    if (kind === "damaged") this.#damagedUntil.set(member, Number.POSITIVE_INFINITY);
    return {
      over: () => {
        this.#down.delete(member);
        if (kind === "damaged") this.#damagedUntil.set(member, Date.now() + afterDamageMs);
      },
    };
  }

  async start(member: ClusterMember): Promise<void> {
    await member.start();
    const process = member.process;
    void process.exited.then(({ code, signal }) => {
      if (this.#ending.has(member) || !this.isJudging) return;
      this.#found(`${member.name} ended by itself: ${signal ?? `code ${code}`}`);
      this.#untilMs = 0;
    });
  }

  async end(member: ClusterMember, how: "stop" | "kill"): Promise<void> {
    this.#ending.add(member);
    const { code, signal } =
      how === "stop" ? await member.process.stop(60_000) : await member.kill();
    this.#ending.delete(member);
    if (how === "stop" && code !== 0) {
      this.#found(`${member.name} was told to stop and ended by ${signal ?? `code ${code}`}`);
    }
  }

  /** Beside the report, with the data, which can be looked at. */
  keepLogs(): void {
    const kept = join(this.#options.folder, `seed-${this.#options.seed}`);
    cpSync(this.cluster.folder, kept, { recursive: true });
    this.#options.report(`logs and data: ${kept}`);
  }

  async #startAll(): Promise<void> {
    for (let at = 0; at < 3; at++) await this.cluster.plan();
    const { members } = this.cluster;
    const together = members.map((member) => `${member.name}=${member.peerUrl}`).join(",");
    const { command, args } = serverCommand("lockstep");
    const { heapMb } = this.#options;
    for (const member of members) {
      member.plan.initialCluster = together;
      const limit = heapMb === undefined ? [] : [`--max-old-space-size=${heapMb}`];
      member.plan.command = { command, args: [...limit, ...args] };
    }
    await Promise.all(members.map((member) => this.start(member)));
  }

  #up(): ClusterMember[] {
    return this.cluster.members.filter((member) => member.isRunning && !this.#down.has(member));
  }

  #isOn(): boolean {
    return Date.now() < this.#untilMs && this.violations.length < violationsMax;
  }

  async #drawCalls(): Promise<void> {
    const { members } = this.cluster;
    const { calls = fuzzCalls.map(({ name }) => name) } = this.#options;
    const drawn = fuzzCalls.filter(({ name }) => calls.includes(name));
    while (this.#isOn()) {
      while (this.#calls.size < this.#options.width) {
        const call = drawLacking(this.#rng, drawn, (name) => this.overlaps.lackingNow(name));
        const member = this.#rng.pick(members);
        const rng = new SeededRng(this.#rng.int(2 ** 31));
        const asked = {
          ...{ member, rng, members, client: member.client, seed: this.seed },
          revision: () => this.#revision,
        };
        const done = this.#judged(call, asked).finally(() => this.#calls.delete(done));
        this.#calls.add(done);
      }
      await Promise.race([...this.#calls, sleep(500)]);
      await sleep(this.#rng.int(20));
    }
  }

  async #judged(
    call: (typeof fuzzCalls)[number],
    asked: Parameters<(typeof fuzzCalls)[number]["run"]>[0],
  ): Promise<void> {
    const { member } = asked;
    const end = this.overlaps.begin(call.name);
    const wasDown = this.#down.has(member);
    this.#made++;
    try {
      await call.run(asked);
      this.#count(`${call.name}: OK`);
    } catch (error) {
      const answer = `${call.name}: ${textOf(error)}`;
      this.#count(answer);
      const isDown = wasDown || this.#down.has(member);
      if (!this.#isAllowed(error, call.codes, member, isDown)) {
        this.#found(`${member.name} answered ${answer}${isDown ? " (in trouble)" : ""}`);
      }
    } finally {
      end();
    }
  }

  #isAllowed(
    error: unknown,
    codes: readonly Code[],
    member: ClusterMember,
    isDown: boolean,
  ): boolean {
    if (error instanceof LieError) return false;
    if (!isServiceError(error)) {
      // These errors come from a stream that ended, or from the test's own time limit.
      return /no watch response|stream has ended/.test((error as Error).message);
    }
    const { code, details } = error;
    if (code === Code.UNAVAILABLE || code === Code.DEADLINE_EXCEEDED || codes.includes(code))
      return true;
    if (code === Code.DATA_LOSS) return Date.now() < (this.#damagedUntil.get(member) ?? 0);
    // Back-pressure, of which clients know by its text.
    if (code === Code.UNKNOWN) return details === "etcdserver: too many requests";
    // How this client tells of a connection that broke.
    const isBroken = /ECONNRESET|RST_STREAM|Session closed|Call cancelled|EPIPE/.test(details);
    return isDown && isBroken;
  }

  async #drawFaults(): Promise<void> {
    const rng = new SeededRng(this.#options.seed + 1);
    const { faults = faultNames } = this.#options;
    const names = faultNames.filter((name) => faults.includes(name));
    if (names.length === 0) return;
    while (this.#isOn()) {
      await sleep(rng.int(2 * this.#options.faultEveryMs));
      if (!this.#isOn()) return;
      await runFault(this, names, new SeededRng(rng.int(2 ** 31)));
    }
  }

  async #followRevision(): Promise<void> {
    while (this.#isOn()) {
      const [member] = this.#up();
      const options = { timeoutMs: 2_000 };
      const answer = await member?.client
        .range({ key: bytes("none"), serializable: true }, options)
        .catch(() => undefined);
      this.#revision = Math.max(this.#revision, Number(answer?.header?.revision ?? 0));
      await sleep(200);
    }
  }

  /** Nothing new happens: everything must come to its end, and be right. */
  async #settle(): Promise<void> {
    const isOver = await Promise.race([
      Promise.all(this.#calls).then(() => true),
      sleep(lastCallsMs).then(() => false),
    ]);
    if (!isOver) this.#found(`still not answered: ${this.overlaps.running().join(", ")}`);
    await this.#load?.end();
    const { members } = this.cluster;
    if (members.some((member) => !member.isRunning)) return;
    for (const member of members) await served(this, member);
    for (const member of members) {
      const note = noteOf(member);
      if (note !== undefined) this.#found(`${member.name} is in quarantine: ${note.reason}`);
      this.violations.push(...((await this.#load?.findings(member.client)) ?? []));
    }
    const { header } = await this.cluster.first.client.range({ key: bytes("none") });
    await compareHashes({ members }, Number(header?.revision));
    for (const member of members) await this.end(member, "stop");
  }

  #count(answer: string): void {
    this.#answers.set(answer, (this.#answers.get(answer) ?? 0) + 1);
  }

  #found(violation: string): void {
    this.violations.push(violation);
    this.#options.report(`VIOLATION ${violation}`);
  }

  #tell(): void {
    const running = this.overlaps.running();
    this.#options.report(
      `${new Date().toISOString().slice(11, 19)} ${this.#made} calls, ${this.#load?.acknowledged()} puts, revision ${this.#revision}; running: ${running.join(" ")}`,
    );
  }
}
