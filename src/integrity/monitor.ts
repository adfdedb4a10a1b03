/**
 * A member's care for its own and the others' state: records a fingerprint at each applied index,
 * tells it with each raft message, compares what others tell, and acts on differences. A member whose
 * state is wrong lets go of it at once (a stand-in without keys takes its place, so nothing wrong can
 * be answered), answers no clients, does not stand for election, keeps its log and its vote, and
 * heals. docs/integrity.md tells the whole.
 */

import type { Done } from "../base/done.js";
import { KvError } from "../base/errors.js";
import { PeerMethod } from "../peers/codec.js";
import { describeFingerprint, encodeFingerprint, type Fingerprint } from "../state/fingerprint.js";
import type { AlarmRecord, Applied, MachineReader } from "../state/types.js";
import { Arbiter } from "./arbiter.js";
import { Comparison, type FoundDifference } from "./comparison.js";
import { Divergence } from "./divergence/divergence.js";
import { FingerprintRing } from "./fingerprint-ring.js";
import { decodeRepairRequest, encodeRepairRequest, RepairRequest } from "./heal-request.js";
import type { Incidents } from "./incidents/incidents.js";
import { type Finding, indexOf } from "./inquiry.js";
import type { MonitorParts } from "./monitor-parts.js";
import { type Quarantine, removeQuarantine, writeQuarantine } from "./quarantine-file.js";
import { Healer } from "./repair/healer.js";

/** Equal at so many different indexes after healing: then the member is right again. */
const equalIndexesNeeded = 2;
/** For so many election timeouts after a start nobody is given a state that was not compared yet. */
const unverifiedElections = 10;

export class IntegrityMonitor {
  readonly ring = new FingerprintRing();
  readonly comparison: Comparison;
  readonly divergence: Divergence;
  readonly #parts: MonitorParts;
  readonly #arbiter: Arbiter;
  #quarantine: Quarantine | undefined;
  #healer: Healer | undefined;
  /** Reads that wait until it is clear whether our state is right; undefined: there is no doubt. */
  #doubt: { readonly sinceMs: number; readonly done: Done<void> }[] | undefined;
  /** Asked for fingerprints of indexes that we have not applied. */
  #awaited: { readonly index: number; readonly done: Done<Uint8Array> }[] = [];
  /** After healing: where our state was seen to be equal to the leader's. */
  #equalAt: number[] = [];
  #isAdopted = false;
  #clearedAt = 0;
  #nextRequestMs = 0;
  readonly #startedMs: number;
  found = 0;
  healed = 0;

  constructor(parts: MonitorParts, quarantine: Quarantine | undefined) {
    this.#parts = parts;
    this.#quarantine = quarantine;
    this.#startedMs = parts.clock.now();
    this.comparison = new Comparison(this.ring, {
      differs: (found) => this.#differs(found),
      equal: (peer, index) => this.#equal(peer, index),
    });
    this.#arbiter = new Arbiter({
      clock: parts.clock,
      selfId: parts.selfId,
      electionMs: parts.electionMs,
      stopsCluster: parts.stopsCluster,
      comparison: this.comparison,
      isLeader: () => parts.raft().isLeader(),
      machine: () => parts.machine(),
      request: (to, method, body, done) => parts.request(to, method, body, done),
      proposeAsLeader: (field, body) => parts.proposeAsLeader(field, body),
      checkSelf: (done) => parts.checkSelf(done),
      found: (finding, isOurs) => this.#decided(finding, isOurs),
    });
    this.divergence = new Divergence({
      ...parts,
      isDoubtful: () => parts.raft().isDoubtful(),
      isLeader: () => parts.raft().isLeader(),
      report: (member, index) => this.#arbiter.contradicted(member, index),
      letGo: () => {
        parts.mayLead(false);
        this.#settle(new KvError("corrupt"));
        parts.letGo();
        parts.changed();
      },
    });
    this.#serve();
  }

  /** Call when raft is there. */
  start(): void {
    this.#parts.incidents.started(this.#parts.machine(), this.#quarantine);
    if (this.#quarantine === undefined) {
      this.#record(this.#parts.machine());
      return;
    }
    const { reason, index, failures } = this.#quarantine;
    this.#parts.log(
      "warn",
      "quarantine: this member starts without its state; it serves no clients until it is healed",
      { reason, index, failures },
    );
    this.#beginHealing();
  }

  stop(): void {
    this.#arbiter.stop();
    this.#healer?.stop();
    this.#parts.incidents.stop();
    this.divergence.stop();
    this.#settle(new KvError("stopped"));
    for (const { done } of this.#awaited.splice(0)) done(new KvError("stopped"));
  }

  /** Undefined: the member may answer. */
  refusal(): KvError | undefined {
    const isFine = this.#quarantine === undefined && this.divergence.own() === undefined;
    return isFine ? undefined : new KvError("corrupt");
  }

  quarantine(): Quarantine | undefined {
    return this.#quarantine;
  }

  get incidents(): Incidents {
    return this.#parts.incidents;
  }

  /** Our state and another one differ, and it is not known yet which is wrong. */
  isInDoubt(): boolean {
    return this.#doubt !== undefined;
  }

  /**
   * Whether others may be given our state, to go on from it. Not before somebody was seen to have it
   * too: a wrong one that spreads becomes the majority. But a cluster that cannot be asked, because
   * those who know are gone, has to go on with what there is.
   */
  mayHandOn(): boolean {
    if (this.refusal() !== undefined || this.#doubt !== undefined) return false;
    const { clock, electionMs, machine, selfId } = this.#parts;
    const isAlone = machine().confState.voters.every((id) => id === selfId);
    const isLate = clock.now() - this.#startedMs > unverifiedElections * electionMs;
    return isAlone || isLate || this.comparison.verifiedIndex() > 0;
  }

  /** Calls `done` at once, unless our state is in doubt: then as soon as it is known. */
  whenSure(done: Done<void>): void {
    const refusal = this.refusal();
    if (refusal !== undefined) done(refusal);
    else if (this.divergence.isHeld((held) => (held ? done(held) : this.whenSure(done)))) return;
    else if (this.#doubt === undefined) done(undefined);
    else this.#doubt.push({ sinceMs: this.#parts.clock.now(), done });
  }

  /** What goes out with a raft message. */
  outgoing(): Fingerprint | undefined {
    return this.ring.at(this.ring.last);
  }

  received(from: bigint, fingerprint: Fingerprint): void {
    if (this.divergence.own() === undefined) this.comparison.received(from, fingerprint);
  }

  /** An entry was applied. */
  applied(machine: MachineReader, applied: Applied): void {
    const { outcome } = applied;
    this.#parts.incidents.applied(machine, applied);
    const isWaiting = this.#quarantine !== undefined && !this.#isAdopted;
    if (!isWaiting) this.#record(machine);
    if (outcome instanceof KvError || outcome.kind !== "verdict") return;
    // The whole cluster had stopped, and a majority has the leader's state: others see it themselves.
    const isOver = outcome.memberId === 0n && outcome.verdict === "cleared";
    if (isOver && this.#parts.raft().isLeader()) this.#settle(undefined);
    if (outcome.memberId !== this.#parts.selfId) return;
    if (outcome.verdict === "cleared") this.#cleared();
    else if (!this.#isAdopted)
      this.enter("the cluster found our state to be wrong", machine.appliedIndex);
  }

  /** A snapshot from the leader took the place of our state: it was proven on arrival. */
  replaced(): void {
    this.ring.clear();
    this.comparison.clear();
    this.#record(this.#parts.machine());
    this.#parts.incidents.replaced(this.#parts.machine());
    if (this.#quarantine === undefined) this.#hearVerdict();
    if (this.#quarantine !== undefined) this.#adopted(this.#parts.machine().appliedIndex);
  }

  /** A state that came as a whole may hold a verdict about us, whose entry we never saw. */
  #hearVerdict(): void {
    const { selfId } = this.#parts;
    const machine = this.#parts.machine();
    const isOurs = (known: AlarmRecord): boolean =>
      known.memberId === selfId && known.isContained === true;
    const isContained = machine.alarms().some(isOurs);
    if (!isContained) return;
    const reason = "the cluster found our state to be wrong";
    this.#note({ reason, index: machine.appliedIndex, evidence: [], failures: 0 });
    this.#parts.mayLead(false);
    this.#parts.changed();
  }

  leaderChanged(isLeader: boolean): void {
    this.#arbiter.leaderChanged();
    this.divergence.leaderChanged();
    const last = this.outgoing();
    if (isLeader && this.#doubt !== undefined && last !== undefined) {
      this.#arbiter.reportDifference({ mine: last });
    }
  }

  tick(nowMs: number): void {
    this.divergence.tick(nowMs);
    const doubt = this.#doubt;
    const lateMs = nowMs - 5 * this.#parts.electionMs;
    const isLate = (reader: { readonly sinceMs: number }): boolean => reader.sinceMs <= lateMs;
    if (doubt?.some(isLate)) {
      this.#doubt = doubt.filter((reader) => !isLate(reader));
      for (const { done } of doubt.filter(isLate)) done(new KvError("timeout"));
    }
    if (this.#quarantine === undefined || nowMs < this.#nextRequestMs) return;
    // Without a leader there is nobody to ask: as soon as there is one, not an interval later.
    if (this.#parts.raft().leader() === 0n) return;
    this.#nextRequestMs = nowMs + this.#parts.electionMs;
    if (this.#parts.raft().isLeader()) this.#parts.handOver();
    else this.#askLeader();
  }

  /** Our state is wrong, as we or the cluster found out. Nothing of it is answered any more. */
  enter(reason: string, index: number, evidence: readonly string[] = []): void {
    const failures = this.#quarantine === undefined ? 0 : this.#quarantine.failures + 1;
    const isBegun = this.#quarantine !== undefined && !this.#isAdopted;
    if (isBegun) return;
    this.found++;
    this.#parts.log(
      "warn",
      "quarantine: this member's state is wrong; it serves no clients until it is healed",
      { reason, index, evidence },
    );
    const isNoted =
      this.#note({ reason, index, evidence, failures }) &&
      this.#onDisk(() => this.#parts.standIn());
    // Without its note on the disk a crash would bring the wrong state back.
    if (!isNoted) return;
    this.#settle(new KvError("corrupt"));
    for (const { done } of this.#awaited.splice(0)) done(new KvError("corrupt"));
    this.ring.clear();
    this.comparison.clear();
    this.#parts.changed();
    this.#beginHealing();
  }

  /** The quarantine begins. False: the disk failed. */
  #note(what: Pick<Quarantine, "reason" | "index" | "evidence" | "failures">): boolean {
    const { disk, incidents } = this.#parts;
    const backend = this.#parts.backendName();
    const note = { ...what, sinceMs: this.#parts.unixMs(), backend };
    this.#quarantine = note;
    return this.#onDisk(() => {
      writeQuarantine(disk, note);
      incidents.entered(note);
    });
  }

  #beginHealing(): void {
    const { clock, selfId } = this.#parts;
    this.#isAdopted = false;
    this.#equalAt = [];
    this.#nextRequestMs = 0;
    this.#parts.mayLead(false);
    if (this.#parts.raft().isLeader()) this.#parts.handOver();
    this.#healer?.stop();
    this.#healer = new Healer(
      {
        ...{ clock, selfId },
        leader: () => this.#parts.raft().leader(),
        term: () => this.#parts.raft().term(),
        voters: () => this.#parts.machine().confState.voters,
        request: (to, method, body, done) => this.#parts.request(to, method, body, done),
        appliedIndex: () => this.#parts.machine().appliedIndex,
        firstIndex: () => this.#parts.firstIndex(),
        fetch: (from, index, done) => this.#parts.fetch(from, index, done),
        adopt: (index, done) =>
          this.#parts.adopt(index, (machine) => this.ring.record(machine.fingerprint()), done),
        adopted: (index) => this.#adopted(index),
        log: (level, message, fields) => {
          this.#parts.incidents.healing(message, fields);
          this.#parts.log(level, message, fields);
        },
      },
      this.#quarantine?.failures ?? 0,
    );
    this.#healer.start();
  }

  #adopted(index: number): void {
    this.#isAdopted = true;
    this.#equalAt = [];
    this.#healer?.stop();
    this.#parts.incidents.adopted(this.#parts.machine().appliedIndex);
    this.#parts.log("info", "a right state is in use; it is compared before it is answered", {
      "snapshot-index": index,
      "applied-index": this.#parts.machine().appliedIndex,
    });
  }

  #cleared(): void {
    if (this.#quarantine === undefined || !this.#isAdopted) return;
    this.#parts.incidents.healed(this.#quarantine.backend);
    this.#quarantine = undefined;
    this.#healer?.stop();
    this.#healer = undefined;
    this.#isAdopted = false;
    this.#clearedAt = this.#parts.machine().appliedIndex;
    this.healed++;
    if (!this.#onDisk(() => removeQuarantine(this.#parts.disk))) return;
    this.#parts.mayLead(true);
    this.#parts.log("info", "healed: this member serves again", {});
    this.#parts.changed();
  }

  /** False: the disk failed, and the member stops. */
  #onDisk(change: () => void): boolean {
    try {
      change();
    } catch (error) {
      this.#parts.failed(error as Error);
      return false;
    }
    return true;
  }

  #record(machine: MachineReader): void {
    if (machine.appliedIndex === 0) return;
    this.ring.record(machine.fingerprint());
    this.comparison.applied();
    if (this.#awaited.length > 0) this.#answerAwaited();
  }

  #answerAwaited(): void {
    const ready = this.#awaited.filter(({ index }) => index <= this.ring.last);
    this.#awaited = this.#awaited.filter(({ index }) => index > this.ring.last);
    for (const { index, done } of ready) this.#answerEvidence(index, done);
  }

  #differs(found: FoundDifference): void {
    if (this.#quarantine !== undefined) {
      // A heal that did not help.
      if (found.peer === this.#parts.raft().leader()) this.#stillWrong(found);
      return;
    }
    const isNew = this.#arbiter.reportDifference(found);
    const isLeaders = found.peer === this.#parts.raft().leader();
    if (!isNew && !isLeaders) return;
    if (this.#doubt !== undefined) return;
    this.#parts.incidents.differs(found);
    this.#parts.log("warn", "states differ", {
      peer: found.peer.toString(16),
      difference: found.difference,
      mine: describeFingerprint(found.mine),
      theirs: describeFingerprint(found.theirs),
    });
    this.#doubt = [];
  }

  #stillWrong(found: FoundDifference): void {
    this.enter("the state differs again after it was replaced", found.mine.index, [
      `mine: ${describeFingerprint(found.mine)}`,
      `${found.peer.toString(16)}: ${describeFingerprint(found.theirs)}`,
    ]);
  }

  #equal(peer: bigint, index: number): void {
    this.#arbiter.equal();
    if (peer !== this.#parts.raft().leader()) return;
    if (this.#doubt !== undefined && !this.#arbiter.isInquiring()) this.#settle(undefined);
    if (this.#isAdopted && !this.#equalAt.includes(index)) {
      this.#equalAt.push(index);
      this.#nextRequestMs = 0;
    }
  }

  #decided(finding: Finding, isOurs: boolean): void {
    const evidence = [...finding.evidence].map(
      ([id, fingerprint]) => `${id.toString(16)}: ${describeFingerprint(fingerprint)}`,
    );
    this.#parts.incidents.decided(finding);
    this.#parts.log("warn", "inquiry ended", {
      ...{ index: finding.index, by: finding.by, evidence },
      suspects: finding.suspects.map((id) => id.toString(16)),
    });
    if (isOurs) this.enter(`our state is wrong by ${finding.by}`, finding.index, evidence);
    else if (finding.by === "undecided") {
      // Whoever waits is refused; who comes later waits until it is known, or for the alarm.
      this.#settle(new KvError("corrupt"));
      this.#doubt = [];
    } else this.#settle(undefined);
  }

  #settle(refusal: KvError | undefined): void {
    const doubt = this.#doubt ?? [];
    this.#doubt = undefined;
    for (const { done } of doubt) done(refusal);
  }

  /** Once in an election timeout, in quarantine: tells the leader, or asks to be cleared. */
  #askLeader(): void {
    const leader = this.#parts.raft().leader();
    if (leader === 0n) return;
    const send = (kind: RepairRequest, index: number): void => {
      const repairRequest = encodeRepairRequest(kind, index);
      this.#parts.request(leader, PeerMethod.repairRequest, repairRequest, () => {});
    };
    const last = this.#equalAt.at(-1);
    if (!this.#isAdopted) send(RepairRequest.report, this.#quarantine?.index ?? 0);
    else if (last === undefined) return;
    else if (this.#equalAt.length < equalIndexesNeeded) send(RepairRequest.probe, last);
    else send(RepairRequest.clear, last);
  }

  #answerEvidence(index: number, done: Done<Uint8Array>): void {
    const refusal = this.refusal();
    if (refusal !== undefined) {
      done(refusal);
      return;
    }
    if (index > this.ring.last) {
      this.#awaited.push({ index, done });
      return;
    }
    const fingerprint = this.ring.at(index);
    done(fingerprint === undefined ? new KvError("compacted") : encodeFingerprint(fingerprint));
  }

  #serve(): void {
    const { peers, machine, raft } = this.#parts;
    peers.serve(PeerMethod.integrityEvidence, (_from, body, done) => {
      const index = indexOf(body);
      if (Number.isSafeInteger(index)) this.#answerEvidence(index, done);
      else done(new KvError("compacted"));
    });
    peers.serve(PeerMethod.integritySelfCheck, (_from, _body, done) => {
      const refusal = this.refusal();
      if (refusal !== undefined) done(refusal);
      else this.#parts.checkSelf((isSound) => done(Uint8Array.of(isSound ? 1 : 0)));
    });
    peers.serve(PeerMethod.integrityContain, (from, body, done) => {
      // One that was long on its way is about what has healed since.
      const isKept = this.divergence.own() !== undefined;
      if (!isKept && from === raft().leader() && indexOf(body) > this.#clearedAt) {
        this.enter(
          "the leader found our state to be wrong",
          indexOf(body),
          this.#ownEvidence(body),
        );
      }
      done(new Uint8Array(0));
    });
    peers.serve(PeerMethod.repairRequest, (from, body, done) => {
      const repairRequest = decodeRepairRequest(body);
      const isMember = machine().cluster.member(from) !== undefined;
      const refusal =
        repairRequest === undefined || !isMember
          ? new KvError("memberNotFound")
          : this.#arbiter.handleRequest(from, repairRequest.kind, repairRequest.index);
      done(refusal ?? new Uint8Array(0));
    });
    peers.serve(PeerMethod.healOffer, (_from, _body, done) => {
      if (this.refusal() !== undefined || this.#doubt !== undefined) {
        done(new KvError("corrupt"));
        return;
      }
      this.#parts.offer(({ manifest, index }) => {
        const fingerprint = this.ring.at(index);
        if (fingerprint === undefined) done(new KvError("compacted"));
        else done(Buffer.concat([manifest, encodeFingerprint(fingerprint)]));
      });
    });
  }

  #ownEvidence(body: Uint8Array): readonly string[] {
    const own = this.ring.at(indexOf(body));
    return own === undefined ? [] : [`mine: ${describeFingerprint(own)}`];
  }
}
