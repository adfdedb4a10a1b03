/**
 * The leader's part. A reported difference starts an inquiry, and its result goes into the log as a
 * verdict. A verdict names the voters among whom it was found. In any other configuration it is
 * void, and the next comparison finds the difference again. Members heal one at a time, each with
 * the leader's leave. The leader clears a member once its state was equal at two indexes.
 */

import type { Done } from "../base/done.js";
import { KvError } from "../base/errors.js";
import { PeerMethod } from "../peers/codec.js";
import type { Clock } from "../platform/clock.js";
import type { MachineReader } from "../state/types.js";
import { IntegrityVerdictRequest, IntegrityVerdictRequest_Kind } from "../wire/gen/internal.js";
import { AlarmRequest, AlarmRequest_AlarmAction, AlarmType } from "../wire/gen/rpc.js";
import { RequestField } from "../wire/proposal.js";
import type { Comparison } from "./comparison.js";
import { HealRequest } from "./heal-request.js";
import type { Suspicion } from "./health-types.js";
import { Inquiry, type InquiryResult, indexBody } from "./inquiry.js";

/** Milliseconds without news after which leave to heal ends. */
const leaveMs = 30_000;
/** After an inquiry without a result, the next one begins this many election timeouts later. */
const pauseElections = 10;
/** Stands for the whole cluster in a verdict: nobody can tell which member is wrong. */
const everybody = 0n;

export interface ArbiterParts {
  readonly clock: Clock;
  readonly selfId: bigint;
  readonly electionMs: number;
  readonly comparison: Pick<Comparison, "view">;
  /** As in etcd, a wrong member stops the whole cluster until an operator disarms the alarm. */
  readonly stopsCluster: boolean;
  isLeader(): boolean;
  machine(): MachineReader;
  request(to: bigint, method: PeerMethod, body: Uint8Array, done: Done<Uint8Array>): void;
  proposeAsLeader(field: RequestField, body: Uint8Array): void;
  checkSelf(done: (isSound: boolean) => void): void;
  /** The result of an inquiry. `isOurs`: this member is among the wrong ones. */
  found(result: InquiryResult, isOurs: boolean): void;
}

export class Arbiter {
  readonly #parts: ArbiterParts;
  #inquiry: Inquiry | undefined;
  /** Verdicts that are proposed but not applied, by member, with the time of their proposal. */
  readonly #proposedMs = new Map<bigint, number>();
  #notBeforeMs = 0;
  /** The index at which the cluster-wide alarm was already active. */
  #stoppedAt: number | undefined;
  #leave: { readonly member: bigint; readonly sinceMs: number } | undefined;

  constructor(parts: ArbiterParts) {
    this.#parts = parts;
  }

  /** True while an inquiry runs. */
  isInquiring(): boolean {
    return this.#inquiry !== undefined;
  }

  /** True if this member leads and no verdict about that member is active or proposed. */
  isNews(member: bigint): boolean {
    return this.#parts.isLeader() && !this.#isKnown(member);
  }

  /**
   * At the leader: begins an inquiry, unless one is running or the last one ended without a result
   * a moment ago.
   */
  investigate(suspicion: Suspicion): void {
    if (!this.#parts.isLeader() || this.#inquiry !== undefined) return;
    if (this.#parts.clock.now() >= this.#notBeforeMs) this.#inquire(suspicion);
  }

  /**
   * At the leader: another member's state equals the leader's. If the cluster had stopped because
   * nobody knew which state was right, and a strict majority is equal now, the cluster goes on. The
   * members that differ are found then.
   */
  equal(): void {
    const { isLeader, machine, selfId } = this.#parts;
    if (!isLeader() || this.#inquiry !== undefined) return;
    const isStopped = machine()
      .alarms()
      .some(({ memberId, isContained }) => memberId === everybody && isContained === true);
    if (!isStopped) {
      this.#stoppedAt = undefined;
      return;
    }
    this.#stoppedAt ??= machine().appliedIndex;
    const since = this.#stoppedAt;
    const { voters } = machine().confState;
    const agreeing = voters.filter((id) => id === selfId || this.#isEqualSince(id, since));
    const isAgreed = agreeing.length * 2 > voters.length;
    if (!isAgreed || this.#isOnItsWay(everybody)) return;
    this.#proposedMs.set(everybody, this.#parts.clock.now());
    this.#notBeforeMs = 0;
    const index = machine().appliedIndex;
    this.#propose({ kind: IntegrityVerdictRequest_Kind.CLEAR, member: everybody, index });
  }

  /**
   * A member has committed entries that this log lacks. An alarm names it, and it keeps its state.
   */
  contradicted(member: bigint, index: number): void {
    if (!this.isNews(member)) return;
    if (this.#parts.machine().cluster.member(member) !== undefined) this.#judge(member, index);
  }

  leaderChanged(): void {
    this.#inquiry?.stop();
    this.#inquiry = undefined;
    this.#proposedMs.clear();
    this.#leave = undefined;
    this.#notBeforeMs = 0;
    this.#stoppedAt = undefined;
  }

  stop(): void {
    this.#inquiry?.stop();
  }

  /** Answers a request of a member in quarantine. */
  handleRequest(from: bigint, kind: number, index: number): KvError | undefined {
    if (!this.#parts.isLeader()) return new KvError("notLeader");
    const nowMs = this.#parts.clock.now();
    switch (kind) {
      case HealRequest.report:
        if (!this.#isKnown(from)) this.#contain(from, index);
        return undefined;
      case HealRequest.mayHeal: {
        const isOther = this.#leave !== undefined && this.#leave.member !== from;
        if (isOther && nowMs - (this.#leave?.sinceMs ?? 0) < leaveMs)
          return new KvError("unhealthyCluster");
        // Every incident goes into the log, also one that its member found and heals by itself.
        if (!this.#isKnown(from)) this.#contain(from, index);
        this.#leave = { member: from, sinceMs: nowMs };
        return undefined;
      }
      case HealRequest.probe:
        this.#propose({ kind: IntegrityVerdictRequest_Kind.PROBE, member: from, index });
        return undefined;
      case HealRequest.clear: {
        const view = this.#parts.comparison.view(from);
        // Both sides compare. This leader clears the member only if it saw the equality too.
        if (view.state !== "equal" || view.verifiedIndex < index)
          return new KvError("unhealthyCluster");
        this.#propose({ kind: IntegrityVerdictRequest_Kind.CLEAR, member: from, index });
        // A member asks until it is cleared. Meanwhile another one may have leave.
        if (this.#leave?.member === from) this.#leave = undefined;
        return undefined;
      }
      default:
        return new KvError("unhealthyCluster");
    }
  }

  /** True if the alarm is active or proposed. */
  #isKnown(member: bigint): boolean {
    if (this.#isOnItsWay(member)) return true;
    return this.#parts
      .machine()
      .alarms()
      .some(({ memberId, alarm }) => memberId === member && alarm === "CORRUPT");
  }

  #isEqualSince(member: bigint, index: number): boolean {
    const { state, verifiedIndex } = this.#parts.comparison.view(member);
    return state === "equal" && verifiedIndex >= index;
  }

  #isOnItsWay(member: bigint): boolean {
    const proposedMs = this.#proposedMs.get(member);
    const { clock, electionMs } = this.#parts;
    return proposedMs !== undefined && clock.now() - proposedMs < 2 * electionMs;
  }

  #inquire(found: Suspicion): void {
    const { clock, selfId, electionMs, request, checkSelf } = this.#parts;
    const members = () => this.#parts.machine().cluster.members();
    this.#inquiry = new Inquiry(
      {
        ...{ clock, selfId, roundMs: electionMs, checkSelf },
        request: (to, method, body, done) => request(to, method, body, done),
        isEqualSince: (id, index) => this.#isEqualSince(id, index),
        voters: () => this.#parts.machine().confState.voters,
        others: () =>
          members()
            .map(({ id }) => id)
            .filter((id) => id !== selfId),
      },
      found,
      (result) => {
        this.#inquiry = undefined;
        this.#decide(result);
      },
    );
    this.#inquiry.start();
  }

  #decide(result: InquiryResult): void {
    const { selfId } = this.#parts;
    const isOurs = result.suspects.includes(selfId);
    if (result.by === "undecided") this.#stopCluster(result.index);
    // A leader whose own state is wrong leaves the verdict to its successor.
    else if (!isOurs) {
      for (const id of result.suspects) if (!this.#isKnown(id)) this.#contain(id, result.index);
    }
    this.#parts.found(result, isOurs);
  }

  #judge(member: bigint, index: number): void {
    this.#proposedMs.set(member, this.#parts.clock.now());
    if (this.#parts.stopsCluster) this.#raise(member);
    this.#propose({ kind: IntegrityVerdictRequest_Kind.CONTAIN, member, index });
  }

  #contain(member: bigint, index: number): void {
    this.#judge(member, index);
    // The leader need not wait until it has applied the verdict.
    this.#parts.request(member, PeerMethod.integrityContain, indexBody(index), () => {});
  }

  #propose(verdict: {
    readonly kind: IntegrityVerdictRequest_Kind;
    readonly member: bigint;
    readonly index: number;
  }): void {
    const { voters } = this.#parts.machine().confState;
    const body = IntegrityVerdictRequest.encode({
      kind: verdict.kind,
      member_ID: verdict.member,
      index: BigInt(verdict.index),
      voters: [...voters],
    }).finish();
    this.#parts.proposeAsLeader(RequestField.integrityVerdict, body);
  }

  /** This comes before the verdict, because a verdict keeps an alarm that is already active. */
  #raise(memberID: bigint): void {
    const action = AlarmRequest_AlarmAction.ACTIVATE;
    const body = AlarmRequest.encode({ action, memberID, alarm: AlarmType.CORRUPT }).finish();
    this.#parts.proposeAsLeader(RequestField.alarm, body);
  }

  /**
   * Nobody can tell which state is right. As in etcd, no member answers until that is known or an
   * operator has decided.
   */
  #stopCluster(index: number): void {
    const { clock, electionMs } = this.#parts;
    this.#notBeforeMs = clock.now() + pauseElections * electionMs;
    if (this.#isKnown(everybody)) return;
    this.#proposedMs.set(everybody, clock.now());
    this.#propose({ kind: IntegrityVerdictRequest_Kind.CONTAIN, member: everybody, index });
  }
}
