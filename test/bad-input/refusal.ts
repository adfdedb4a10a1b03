/**
 * A start that must not succeed: the process ends with an error code, or (where `mayWait`) stays
 * without ever serving. What it logged is returned for a look at the reason.
 */
import type { ClusterMember } from "../support/cluster.js";

const SERVES = /ready to serve client requests/;

export interface Refusal {
  readonly code: number | null;
  /** What it printed in this start. */
  readonly log: string;
}

export async function refusedStart(
  member: ClusterMember,
  options: {
    readonly flags?: readonly string[];
    readonly withinMs?: number;
    /** It may also wait for ever instead of ending; it is then killed. */
    readonly mayWait?: boolean;
  } = {},
): Promise<Refusal> {
  const logBefore = safeLog(member);
  const started = member.spawn(options.flags);
  const withinMs = options.withinMs ?? 20_000;
  const ready = started.waitForLine(SERVES, withinMs).then(
    () => true,
    () => false,
  );
  const served = await ready;
  const hasEnded = !started.isRunning;
  if (!hasEnded) await started.kill();
  const { code } = await started.exited;
  const log = started.log().slice(logBefore.length);
  if (served) throw new Error(`${member.name} started though it must not; its log:\n${log}`);
  if (!hasEnded && options.mayWait !== true) {
    throw new Error(`${member.name} neither served nor ended; its log:\n${log}`);
  }
  if (hasEnded && code === 0) throw new Error(`${member.name} ended with code 0; its log:\n${log}`);
  return { code, log };
}

function safeLog(member: ClusterMember): string {
  try {
    return member.process.log();
  } catch {
    return "";
  }
}
