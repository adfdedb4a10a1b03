/**
 * The checks of /health, /livez and /readyz. Every check ends with undefined or the reason why it
 * failed, in etcd's words. The member's own time limit ends a linearizable read that takes too
 * long.
 */
import { KvError } from "../../base/errors.js";
import type { Member } from "../../member/types.js";
import { isClusterCorrupt } from "../../state/alarm/alarm-set.js";
import type { AlarmRecord } from "../../state/types.js";

const anyKey = Uint8Array.of(0);

export type CheckDone = (failure: string | undefined) => void;
export interface HealthCheck {
  readonly name: string;
  run(member: Member, done: CheckDone): void;
}

/** Needs neither a quorum nor readiness: a member that waits for the others counts as live. */
const serializableRead: HealthCheck = {
  name: "serializable_read",
  run: (member, done) => {
    const { kv } = member.machine;
    kv.kvAt(anyKey, kv.revision());
    done(undefined);
  },
};
const linearizableRead: HealthCheck = {
  name: "linearizable_read",
  run: (member, done) => {
    member.readBarrier((refusal) => {
      if (refusal instanceof KvError) done(`range error: ${refusal.message}`);
      else done(member.isReady() ? undefined : "range error: the member is not ready yet");
    });
  },
};
const dataCorruption: HealthCheck = {
  name: "data_corruption",
  run: (member, done) => {
    const isCorrupt =
      member.integrityRefusal() !== undefined || member.machine.alarms().some(isClusterCorrupt);
    done(isCorrupt ? "alarm activated: CORRUPT" : undefined);
  },
};
const nonLearner: HealthCheck = {
  name: "non_learner",
  run: (member, done) => done(member.isLearner() ? "not supported for learner" : undefined),
};

/** In the order in which etcd lists them. */
export const liveChecks: readonly HealthCheck[] = [serializableRead];
export const readyChecks: readonly HealthCheck[] = [
  dataCorruption,
  serializableRead,
  linearizableRead,
  nonLearner,
];

/** Runs all checks at the same time, and hands over the failures in the checks' order. */
export function runChecks(
  member: Member,
  checks: readonly HealthCheck[],
  done: (failures: readonly (string | undefined)[]) => void,
): void {
  const failures: (string | undefined)[] = checks.map(() => undefined);
  let waiting = checks.length;
  if (waiting === 0) done(failures);
  for (const [place, check] of checks.entries()) {
    check.run(member, (failure) => {
      failures[place] = failure;
      waiting--;
      if (waiting === 0) done(failures);
    });
  }
}

/** The check of /health: an alarm, no leader, or a read that fails, whichever comes first. */
export function serverHealth(
  member: Member,
  options: { readonly excluded: readonly string[]; readonly isSerializable: boolean },
  done: CheckDone,
): void {
  // False for a verdict's alarm of another member: it is no reason to restart this one.
  const isOurs = ({ isContained, memberId }: AlarmRecord): boolean =>
    isContained !== true || memberId === member.id;
  const alarm = member.machine
    .alarms()
    .find((record) => isOurs(record) && !options.excluded.includes(record.alarm));
  const isRefusing =
    member.integrityRefusal() !== undefined && !options.excluded.includes("CORRUPT");
  if (alarm !== undefined) {
    done(`ALARM ${alarm.alarm}`);
  } else if (isRefusing) {
    done("ALARM CORRUPT");
  } else if (options.isSerializable) {
    done(undefined);
  } else if (member.leader() === 0n) {
    done("RAFT NO LEADER");
  } else {
    member.readBarrier((refusal) => {
      done(refusal instanceof KvError ? `RANGE ERROR:${refusal.message}` : undefined);
    });
  }
}
