/**
 * The space quota and its alarm NOSPACE, which is replicated state. While any member has raised it,
 * applying an entry refuses what would grow the store, on all members alike. A member raises it
 * when its backend is larger than its quota: when it refuses a request for that, and when it
 * applied one that another member had taken.
 *
 * The leader ends the alarms, through the log, when all members say that they have space again:
 * their backends are well below their quotas, so that the next requests do not raise the alarm
 * anew. Apply never looks at a size.
 */
import type { Done } from "../../base/done.js";
import { KvError } from "../../base/errors.js";
import { PeerMethod } from "../../peers/codec.js";
import type { Peers } from "../../peers/peers.js";
import type { Platform } from "../../platform/platform.js";
import type { Applied, MachineReader } from "../../state/types.js";
import { AlarmRequest, AlarmRequest_AlarmAction, AlarmType } from "../../wire/gen/rpc.js";
import { RequestField } from "../../wire/proposal.js";

/** Milliseconds between two rounds of questions to all members. */
const surveyEveryMs = 2_000;
/** A backend below this share of the quota has space again. */
const freeShare = 0.9;
const yes = Uint8Array.of(1);
const no = Uint8Array.of(0);

export interface QuotaParts {
  readonly selfId: bigint;
  /** 0: no limit. */
  readonly quotaBytes: number;
  /** False: only an operator ends the alarm, as in etcd. */
  readonly endsByItself: boolean;
  readonly log: Platform["log"];
  machine(): MachineReader;
  backendBytes(): number;
  isLeader(): boolean;
  propose(field: RequestField, body: Uint8Array, done: () => void): void;
  /** Proposes a decision. It is dropped if this member no longer leads when raft takes it. */
  proposeAsLeader(field: RequestField, body: Uint8Array): void;
  request(to: bigint, method: PeerMethod, body: Uint8Array, done: Done<Uint8Array>): void;
}

export class Quota {
  readonly #parts: QuotaParts;
  #isRaising = false;
  /** True after an applied entry that may have grown the store, until its size is looked at. */
  #hasGrown = false;
  /** Members whose alarms were active at the last look. */
  #active: ReadonlySet<bigint> = new Set();
  #surveyDueMs = 0;
  #isSurveying = false;

  constructor(parts: QuotaParts, peers: Pick<Peers, "serve">) {
    this.#parts = parts;
    peers.serve(PeerMethod.hasSpace, (_from, _body, done) => done(this.#hasSpace() ? yes : no));
  }

  /**
   * Checks a request that grows the store by `growthBytes` at most. Undefined: the backend has room
   * for it. Otherwise the refusal; the member then raises the alarm. Does not look at the alarm
   * itself: see `isAlarmed`.
   */
  check(growthBytes: number): KvError | undefined {
    if (growthBytes === 0 || !this.#isOver(growthBytes)) return undefined;
    this.#raise();
    return new KvError("noSpace");
  }

  /** True if the alarm is in the state that this member has applied. It may be behind the others. */
  isAlarmed(): boolean {
    const alarms = this.#parts.machine().alarms();
    return alarms.length > 0 && alarms.some((record) => record.alarm === "NOSPACE");
  }

  /** Call for each applied entry. */
  applied({ outcome, events }: Applied): void {
    if (outcome instanceof KvError) return;
    if (events !== undefined || outcome.kind === "leaseGrant") this.#hasGrown = true;
    if (outcome.kind === "alarm") this.#tell();
  }

  /** Call at each heartbeat. */
  tick(nowMs: number): void {
    if (this.#hasGrown) {
      this.#hasGrown = false;
      if (this.#isOver(0)) this.#raise();
    }
    const { endsByItself } = this.#parts;
    if (!endsByItself || nowMs < this.#surveyDueMs || this.#isSurveying) return;
    if (!this.#parts.isLeader() || !this.isAlarmed()) return;
    this.#surveyDueMs = nowMs + surveyEveryMs;
    this.#survey();
  }

  #isOver(growthBytes: number): boolean {
    const { quotaBytes } = this.#parts;
    return quotaBytes > 0 && this.#parts.backendBytes() + growthBytes > quotaBytes;
  }

  #hasSpace(): boolean {
    const { quotaBytes } = this.#parts;
    return quotaBytes <= 0 || this.#parts.backendBytes() < freeShare * quotaBytes;
  }

  #raise(): void {
    const { selfId } = this.#parts;
    const isOwn = (record: { memberId: bigint; alarm: string }): boolean =>
      record.memberId === selfId && record.alarm === "NOSPACE";
    if (this.#isRaising || this.#parts.machine().alarms().some(isOwn)) return;
    this.#isRaising = true;
    const body = alarmBody(AlarmRequest_AlarmAction.ACTIVATE, selfId);
    this.#parts.propose(RequestField.alarm, body, () => {
      this.#isRaising = false;
    });
  }

  /** Asks all members, learners included. A member that does not answer counts as full. */
  #survey(): void {
    const { selfId, machine, request } = this.#parts;
    if (!this.#hasSpace()) return;
    const others = machine()
      .cluster.members()
      .filter(({ id }) => id !== selfId);
    this.#isSurveying = true;
    let open = others.length;
    let isFree = true;
    const over = (): void => {
      this.#isSurveying = false;
      if (isFree) this.#end();
    };
    if (open === 0) over();
    for (const { id } of others) {
      request(id, PeerMethod.hasSpace, no, (answer) => {
        if (answer instanceof KvError || answer[0] !== yes[0]) isFree = false;
        if (--open === 0) over();
      });
    }
  }

  #end(): void {
    if (!this.#parts.isLeader() || !this.#hasSpace()) return;
    for (const { memberId, alarm } of this.#parts.machine().alarms()) {
      if (alarm !== "NOSPACE") continue;
      const body = alarmBody(AlarmRequest_AlarmAction.DEACTIVATE, memberId);
      this.#parts.proposeAsLeader(RequestField.alarm, body);
    }
  }

  /** Logs which members' alarms have begun or ended since the last look. */
  #tell(): void {
    const active = new Set<bigint>();
    for (const { memberId, alarm } of this.#parts.machine().alarms()) {
      if (alarm === "NOSPACE") active.add(memberId);
    }
    const tell = (level: "info" | "warn", message: string, id: bigint): void =>
      this.#parts.log(level, message, { alarm: "NOSPACE", "alarm-member-id": id.toString(16) });
    for (const id of active) if (!this.#active.has(id)) tell("warn", "alarm raised", id);
    for (const id of this.#active) if (!active.has(id)) tell("info", "alarm ended", id);
    this.#active = active;
  }
}

function alarmBody(action: AlarmRequest_AlarmAction, memberID: bigint): Uint8Array {
  return AlarmRequest.encode({ action, memberID, alarm: AlarmType.NOSPACE }).finish();
}
