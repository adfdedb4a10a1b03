/**
 * Watches over the state of this member and of the others. It records a fingerprint at each applied
 * index, sends it with each raft message, compares the fingerprints of others, and acts on
 * differences. Everything that happens becomes an event of health.ts, and health-effects.ts carries
 * out what follows. See docs/integrity.md.
 */

import type { Done } from "../base/done.js";
import { KvError } from "../base/errors.js";
import { describeFingerprint, type Fingerprint } from "../state/fingerprint.js";
import type { Applied, MachineReader } from "../state/types.js";
import { Arbiter } from "./arbiter.js";
import { Comparison, type FoundDifference } from "./comparison.js";
import { Divergence } from "./divergence/divergence.js";
import type { OtherLog } from "./divergence/other-log.js";
import { Evidence } from "./evidence.js";
import { FingerprintRing } from "./fingerprint-ring.js";
import { initialHealth, isDiverged, mayAnswer, quarantineOf, step } from "./health.js";
import { HealthEffects } from "./health-effects.js";
import type { Cause, Health, HealthEvent } from "./health-types.js";
import type { Incidents } from "./incidents/incidents.js";
import type { InquiryResult } from "./inquiry.js";
import type { MonitorParts } from "./monitor-parts.js";
import { servePeerRequests } from "./peer-requests.js";
import { type Quarantine, writeQuarantine } from "./quarantine-file.js";
import { Healing } from "./repair/healing.js";
import { WaitingReads } from "./waiting-reads.js";

/**
 * For this many election timeouts after a start, this member gives its state to nobody unless it
 * was compared.
 */
const unverifiedElections = 10;
/** A read that waits longer than this many election timeouts fails. */
const waitElections = 5;
const foundByCluster = "the cluster found our state to be wrong";

export class IntegrityMonitor {
  readonly comparison: Comparison;
  readonly divergence: Divergence;
  readonly #ring = new FingerprintRing();
  readonly #reads = new WaitingReads();
  readonly #parts: MonitorParts;
  readonly #arbiter: Arbiter;
  readonly #evidence: Evidence;
  readonly #healing: Healing;
  readonly #effects: HealthEffects;
  readonly #startedMs: number;
  #health: Health;

  /** `quarantine`: the note on the disk, if there is one. */
  constructor(parts: MonitorParts, quarantine: Quarantine | undefined) {
    this.#parts = parts;
    this.#health = initialHealth(quarantine);
    this.#startedMs = parts.clock.now();
    this.comparison = new Comparison(this.#ring, {
      differs: (found) => this.#differs(found),
      equal: (peer, index) => this.#equal(peer, index),
    });
    this.#arbiter = this.#createArbiter();
    this.divergence = new Divergence({
      ...parts,
      isDoubtful: () => parts.raft().isDoubtful(),
      isLeader: () => parts.raft().isLeader(),
      report: (member, index) => this.#arbiter.contradicted(member, index),
      letGo: () => this.#step({ kind: "diverged" }),
    });
    this.#evidence = new Evidence(this.#ring, () => this.refusal());
    this.#healing = new Healing({
      ...parts,
      record: (machine) => this.#ring.record(machine.fingerprint()),
      adopted: (index) => this.#step({ kind: "adopted", index }),
      hasOtherLog: (otherLog) => this.#hasOtherLog(otherLog),
    });
    const { comparison } = this;
    const own = { ring: this.#ring, evidence: this.#evidence, arbiter: this.#arbiter };
    this.#effects = new HealthEffects({
      ...{ ...parts, ...own, comparison },
      ...{ reads: this.#reads, healing: this.#healing },
    });
    servePeerRequests({
      ...{ ...parts, ...own },
      refusal: () => this.refusal(),
      isInDoubt: () => this.isInDoubt(),
      contain: (from, index) => this.#contain(from, index),
    });
  }

  /** Call when raft is there. */
  start(): void {
    const quarantine = this.quarantine();
    this.#parts.incidents.started(this.#parts.machine(), quarantine);
    if (quarantine === undefined) {
      this.#record(this.#parts.machine());
      return;
    }
    const { reason, index, failures, otherLog } = quarantine;
    this.#parts.log(
      "warn",
      "quarantine: this member starts without its state; it serves no clients until it is healed",
      { reason, index, failures },
    );
    this.#effects.perform([{ kind: "stopLeading" }]);
    if (otherLog === undefined) this.#effects.perform([{ kind: "heal", failures }]);
    else {
      this.#parts.contradicted(this.#parts.selfId, otherLog.last);
      this.divergence.foundOtherLog(otherLog);
    }
  }

  stop(): void {
    this.#arbiter.stop();
    this.#healing.stop();
    this.#parts.incidents.stop();
    this.divergence.stop();
    this.#reads.end(new KvError("stopped"));
    this.#evidence.refuse(new KvError("stopped"));
  }

  /** Why this member may not answer clients. Undefined: it may. */
  refusal(): KvError | undefined {
    return mayAnswer(this.#health) ? undefined : new KvError("corrupt");
  }

  quarantine(): Quarantine | undefined {
    return quarantineOf(this.#health);
  }

  get incidents(): Incidents {
    return this.#parts.incidents;
  }

  /** How often this member's state was found to be wrong since the start. */
  get found(): number {
    return this.#health.found;
  }

  /** How often this member healed since the start. */
  get healed(): number {
    return this.#health.healed;
  }

  /** True while this member's state differs from another one and nobody knows which is wrong. */
  isInDoubt(): boolean {
    return this.#health.kind === "suspected";
  }

  /**
   * True if other members may fetch this member's state. It first needs another member that has the
   * same state: a wrong state that spreads becomes the majority. But if nobody can be asked, the
   * cluster must go on with the states that are left.
   */
  mayHandOn(): boolean {
    if (this.refusal() !== undefined || this.isInDoubt()) return false;
    const { clock, electionMs, machine, selfId } = this.#parts;
    const isAlone = machine().confState.voters.every((id) => id === selfId);
    const isLate = clock.now() - this.#startedMs > unverifiedElections * electionMs;
    return isAlone || isLate || this.comparison.verifiedIndex() > 0;
  }

  /** Calls `done` at once, or, while this member's state is in doubt, as soon as the doubt ends. */
  whenSure(done: Done<void>): void {
    const refusal = this.refusal();
    if (refusal !== undefined) done(refusal);
    else if (this.divergence.isHeld((held) => (held ? done(held) : this.whenSure(done)))) return;
    else if (this.isInDoubt()) this.#reads.add(this.#parts.clock.now(), done);
    else done(undefined);
  }

  /** The fingerprint for an outgoing raft message. */
  outgoing(): Fingerprint | undefined {
    return this.#ring.at(this.#ring.last);
  }

  received(from: bigint, fingerprint: Fingerprint): void {
    if (!isDiverged(this.#health)) this.comparison.received(from, fingerprint);
  }

  /** An entry was applied. */
  applied(machine: MachineReader, applied: Applied): void {
    const { outcome } = applied;
    this.#parts.incidents.applied(machine, applied);
    // A stand-in has no keys, so its fingerprint says nothing about the state.
    if (this.#health.kind !== "quarantined") this.#record(machine);
    if (outcome instanceof KvError || outcome.kind !== "verdict") return;
    const isCleared = outcome.verdict === "cleared";
    // The whole cluster had stopped, and a majority now has the leader's state. The others learn
    // that from their own comparisons.
    const isOver = outcome.memberId === 0n && isCleared;
    if (isOver && this.#parts.raft().isLeader()) this.#step({ kind: "settled" });
    if (outcome.memberId !== this.#parts.selfId) return;
    const index = machine.appliedIndex;
    if (isCleared) this.#step({ kind: "cleared", index });
    else this.#step({ kind: "contained", cause: this.#cause(foundByCluster, index) });
  }

  /** A snapshot of the leader replaced this member's state. It was proven when it arrived. */
  replaced(): void {
    const machine = this.#parts.machine();
    const { selfId } = this.#parts;
    this.#ring.clear();
    this.comparison.clear();
    this.#record(machine);
    this.#parts.incidents.replaced(machine);
    // The new state may hold a verdict about this member whose log entry this member never saw.
    const isContained = machine
      .alarms()
      .some((known) => known.memberId === selfId && known.isContained === true);
    const index = machine.appliedIndex;
    if (!isContained) this.#step({ kind: "replaced", index });
    else {
      const cause = this.#cause(foundByCluster, index);
      this.#step({ kind: "replacedWithVerdict", index, cause });
    }
  }

  leaderChanged(isLeader: boolean): void {
    this.#arbiter.leaderChanged();
    this.divergence.leaderChanged();
    const mine = this.outgoing();
    if (isLeader && mine !== undefined) this.#step({ kind: "elected", mine });
  }

  tick(nowMs: number): void {
    const { electionMs, raft } = this.#parts;
    this.divergence.tick(nowMs);
    this.#reads.endLate(nowMs - waitElections * electionMs);
    // Without a leader there is nobody to ask. The request goes out as soon as there is one, not an
    // interval later.
    if (raft().leader() === 0n) return;
    this.#step({ kind: "tick", nowMs, electionMs, isLeader: raft().isLeader() });
  }

  /**
   * This member's state is wrong: this member or the cluster found it out. No client gets an answer
   * from it any more.
   */
  enter(reason: string, index: number, evidence: readonly string[] = []): void {
    this.#step({ kind: "wrong", cause: this.#cause(reason, index, evidence) });
  }

  #step(event: HealthEvent): void {
    const { state, effects } = step(this.#health, event);
    this.#health = state;
    this.#effects.perform(effects);
  }

  #cause(reason: string, index: number, evidence: readonly string[] = []): Cause {
    const { unixMs, backendName } = this.#parts;
    return { reason, index, evidence, sinceMs: unixMs(), backend: backendName() };
  }

  #record(machine: MachineReader): void {
    if (machine.appliedIndex === 0) return;
    this.#ring.record(machine.fingerprint());
    this.comparison.applied();
    this.#evidence.recorded();
  }

  #differs(found: FoundDifference): void {
    if (found.peer === this.#parts.raft().leader()) {
      const reason = "the state differs again after it was replaced";
      const cause = this.#cause(reason, found.mine.index, [
        `mine: ${describeFingerprint(found.mine)}`,
        `${found.peer.toString(16)}: ${describeFingerprint(found.theirs)}`,
      ]);
      this.#step({ kind: "differsFromLeader", found, cause });
    } else if (this.#arbiter.isNews(found.peer)) this.#step({ kind: "followerDiffers", found });
  }

  #equal(peer: bigint, index: number): void {
    this.#arbiter.equal();
    if (peer !== this.#parts.raft().leader()) return;
    const kind = this.#arbiter.isInquiring() ? "equalWhileInquiring" : "equalToLeader";
    this.#step({ kind, index });
  }

  /**
   * Quarantine begins. A restart must know it too, because the leader may have compacted the
   * entries that show it.
   */
  #hasOtherLog(otherLog: OtherLog): void {
    const quarantine = this.quarantine();
    if (quarantine === undefined) return;
    try {
      writeQuarantine(this.#parts.disk, { ...quarantine, otherLog });
    } catch (error) {
      this.#parts.failed(error as Error);
      return;
    }
    this.divergence.foundOtherLog(otherLog);
  }

  #decided(result: InquiryResult, isOurs: boolean): void {
    const evidence = [...result.evidence].map(
      ([id, fingerprint]) => `${id.toString(16)}: ${describeFingerprint(fingerprint)}`,
    );
    this.#parts.incidents.decided(result);
    this.#parts.log("warn", "inquiry ended", {
      ...{ index: result.index, by: result.by, evidence },
      suspects: result.suspects.map((id) => id.toString(16)),
    });
    if (isOurs) this.enter(`our state is wrong by ${result.by}`, result.index, evidence);
    else this.#step({ kind: result.by === "undecided" ? "undecided" : "settled" });
  }

  /**
   * Another member says that this member's state is wrong. Believe it only if it leads, and only
   * about a state that has not healed since.
   */
  #contain(from: bigint, index: number): void {
    const isNew = index > this.#health.clearedAt && !isDiverged(this.#health);
    if (!isNew || from !== this.#parts.raft().leader()) return;
    const own = this.#ring.at(index);
    const evidence = own === undefined ? [] : [`mine: ${describeFingerprint(own)}`];
    this.enter("the leader found our state to be wrong", index, evidence);
  }

  #createArbiter(): Arbiter {
    const { clock, selfId, electionMs, stopsCluster, raft, machine } = this.#parts;
    return new Arbiter({
      ...{ clock, selfId, electionMs, stopsCluster, machine, comparison: this.comparison },
      isLeader: () => raft().isLeader(),
      request: (to, method, body, done) => this.#parts.request(to, method, body, done),
      proposeAsLeader: (field, body) => this.#parts.proposeAsLeader(field, body),
      checkSelf: (done) => this.#parts.checkSelf(done),
      found: (result, isOurs) => this.#decided(result, isOurs),
    });
  }
}
