/**
 * The alarms in force: pairs of a member and a kind, replicated like everything else. This set only
 * knows the alarms; its readers decide what an alarm forbids.
 *
 * Rows (Bucket.alarm) are etcd's: key = the encoded AlarmMember, value empty. The row of an alarm
 * raised by a verdict has a value of one byte 1. A verdict can also end such an alarm. Other alarms
 * end only by their DEACTIVATE or when their member is removed.
 */
import type { BackendReader } from "../../platform/backend.js";
import { Bucket } from "../../platform/rows.js";
import {
  AlarmMember,
  type AlarmRequest,
  AlarmRequest_AlarmAction,
  AlarmType,
} from "../../wire/gen/rpc.js";
import type { AlarmRecord, Outcome, WriteHandle } from "../types.js";

const nothing = new Uint8Array(0);
const contained = Uint8Array.of(1);

export class AlarmSet {
  /**
   * The alarms, by kind (NOSPACE first), then by member id ascending, so that all members have the
   * same order.
   */
  #alarms: readonly AlarmRecord[] = [];

  restore(reader: BackendReader): void {
    const alarms: AlarmRecord[] = [];
    reader.scan(Bucket.alarm, { from: new Uint8Array(1) }, (key, value) => {
      const row = AlarmMember.decode(key);
      const alarm = alarmName(row.alarm);
      const isContained = value.length > 0;
      if (alarm !== undefined) alarms.push(recordOf(row.memberID, alarm, isContained));
      return true;
    });
    this.#alarms = alarms.sort(inOrder);
  }

  /**
   * GET lists the alarms of the given kind (NONE: all), whatever the member. ACTIVATE returns the
   * alarm, even if it was active before. DEACTIVATE removes exactly the named pair and returns it.
   * Everything else (kind NONE, an unknown kind, no such alarm) changes and returns nothing.
   */
  apply(
    w: WriteHandle,
    request: Pick<AlarmRequest, "action" | "memberID" | "alarm">,
  ): Outcome & { readonly kind: "alarm" } {
    const kind = alarmName(request.alarm);
    if (request.action === AlarmRequest_AlarmAction.GET) {
      const wanted = this.#alarms.filter((known) => kind === undefined || known.alarm === kind);
      const isValid = kind !== undefined || request.alarm === AlarmType.NONE;
      return { kind: "alarm", alarms: isValid ? wanted : [] };
    }
    if (kind === undefined) return { kind: "alarm", alarms: [] };
    const record: AlarmRecord = { memberId: request.memberID, alarm: kind };
    const isActive = this.#alarms.some((known) => inOrder(known, record) === 0);
    switch (request.action) {
      case AlarmRequest_AlarmAction.ACTIVATE:
        if (!isActive) {
          w.put(Bucket.alarm, rowKey(record), nothing);
          this.#alarms = [...this.#alarms, record].sort(inOrder);
        }
        return { kind: "alarm", alarms: [record] };
      case AlarmRequest_AlarmAction.DEACTIVATE:
        if (!isActive) return { kind: "alarm", alarms: [] };
        w.delete(Bucket.alarm, rowKey(record));
        this.#alarms = this.#alarms.filter((known) => inOrder(known, record) !== 0);
        return { kind: "alarm", alarms: [record] };
      default:
        return { kind: "alarm", alarms: [] };
    }
  }

  /**
   * Raises the alarm for a verdict that this member's state is wrong. An existing alarm of etcd's
   * kind stays as it is.
   */
  contain(w: WriteHandle, memberId: bigint): void {
    const record = recordOf(memberId, "CORRUPT", true);
    if (this.#alarms.some((known) => inOrder(known, record) === 0)) return;
    w.put(Bucket.alarm, rowKey(record), contained);
    this.#alarms = [...this.#alarms, record].sort(inOrder);
  }

  /** Ends the alarm that `contain` raised for this member. Other alarms stay. */
  release(w: WriteHandle, memberId: bigint): void {
    const isIt = (known: AlarmRecord): boolean =>
      known.memberId === memberId && known.isContained === true;
    const record = this.#alarms.find(isIt);
    if (record === undefined) return;
    w.delete(Bucket.alarm, rowKey(record));
    this.#alarms = this.#alarms.filter((known) => !isIt(known));
  }

  /** True if the whole cluster refuses its clients, as in etcd. */
  isClusterCorrupt(): boolean {
    return this.#alarms.some(isClusterCorrupt);
  }

  /** Ends the alarms of a removed member. Otherwise they would stay for ever (etcd's #14379). */
  removeMember(w: WriteHandle, memberId: bigint): void {
    for (const known of this.#alarms) {
      if (known.memberId === memberId) w.delete(Bucket.alarm, rowKey(known));
    }
    this.#alarms = this.#alarms.filter((known) => known.memberId !== memberId);
  }

  all(): readonly AlarmRecord[] {
    return this.#alarms;
  }

  /** True if any member has raised this kind. */
  has(kind: AlarmRecord["alarm"]): boolean {
    return this.#alarms.some((known) => known.alarm === kind);
  }
}

function alarmName(type: AlarmType): AlarmRecord["alarm"] | undefined {
  if (type === AlarmType.NOSPACE) return "NOSPACE";
  return type === AlarmType.CORRUPT ? "CORRUPT" : undefined;
}

/**
 * True if the whole cluster refuses its clients because of this alarm. A verdict concerns its
 * member alone, except a verdict on member 0: it says that nobody knows which state is right.
 */
export function isClusterCorrupt(record: AlarmRecord): boolean {
  return record.alarm === "CORRUPT" && (record.isContained !== true || record.memberId === 0n);
}

function recordOf(
  memberId: bigint,
  alarm: AlarmRecord["alarm"],
  isContained: boolean,
): AlarmRecord {
  return isContained ? { memberId, alarm, isContained } : { memberId, alarm };
}

function rowKey(record: AlarmRecord): Uint8Array {
  return AlarmMember.encode({
    memberID: record.memberId,
    alarm: record.alarm === "NOSPACE" ? AlarmType.NOSPACE : AlarmType.CORRUPT,
  }).finish();
}

function inOrder(a: AlarmRecord, b: AlarmRecord): number {
  if (a.alarm !== b.alarm) return a.alarm === "NOSPACE" ? -1 : 1;
  return a.memberId < b.memberId ? -1 : a.memberId > b.memberId ? 1 : 0;
}
