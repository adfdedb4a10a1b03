/**
 * The check after the last fault: every member serves again within a bound, all hold the same data
 * at the same revision, and every watch comes to that revision.
 */
import type { Clock } from "../../platform/clock.js";
import type { Request } from "../../verify/history/types.js";
import { decodeAnswer, encodeRequest } from "../../verify/sim/clients/client-calls.js";
import { pauseFor } from "../pause.js";
import type { Connection, Stage } from "../ports.js";
import type { Recorder } from "../recorder.js";
import { end, first } from "../traffic/draw-request.js";
import { outcomeOf } from "../traffic/kv-client.js";
import type { TortureWatcher } from "../traffic/watcher.js";
import { compareHashes, type NamedConnection } from "./comparison.js";

const recoveryMs = 60_000;
const callMs = 5_000;
const pollMs = 100;
const clientNumber = 2_000;

export interface EndCheckParts {
  readonly clock: Clock;
  readonly stage: Stage;
  readonly recorder: Recorder;
  readonly watchers: readonly TortureWatcher[];
  /** True if other clients write, too: then members are not compared. */
  readonly isShared: boolean;
}

/** Checks the cluster. Returns what is wrong; empty: nothing. */
export async function checkEnd(parts: EndCheckParts): Promise<readonly string[]> {
  const { stage, clock, watchers } = parts;
  const connections = stage.members.map(
    (member): NamedConnection => [member, stage.connect(member)],
  );
  try {
    const findings: string[] = [];
    let revision = 0;
    for (const [place, [member, connection]] of connections.entries()) {
      const seen = await lastRead(parts, { member, connection, client: clientNumber + place });
      if (typeof seen === "string") findings.push(seen);
      else revision = Math.max(revision, seen);
    }
    if (findings.length > 0) return findings;
    if (!parts.isShared) findings.push(...(await compareAtRest(clock, connections, revision)));
    const areThere = (): boolean => watchers.every((watcher) => watcher.seen() >= revision);
    if (!(await within(clock, recoveryMs, async () => areThere()))) {
      const behind = watchers.filter((watcher) => watcher.seen() < revision);
      const seen = behind.map((watcher) => watcher.seen()).join(", ");
      findings.push(
        `${behind.length} watches had not come to revision ${revision} ${recoveryMs / 1_000} s after the last fault (to ${seen})`,
      );
    }
    return findings;
  } finally {
    for (const [, connection] of connections) connection.close();
  }
}

/**
 * A linearizable read of everything at each member, by one more client. Returns the revision, or a
 * finding.
 */
async function lastRead(
  { clock, recorder }: EndCheckParts,
  at: { readonly member: string; readonly connection: Connection; readonly client: number },
): Promise<number | string> {
  const { member, connection, client } = at;
  const request: Request = { kind: "range", key: first, end };
  const { path, bytes } = encodeRequest(request);
  let revision = 0;
  let said = "";
  const isServing = await within(clock, recoveryMs, async () => {
    const id = recorder.nextId();
    const callUs = recorder.nowUs();
    const result = await connection.call(path, bytes, callMs);
    const outcome = outcomeOf(request, result);
    const returnUs = recorder.nowUs();
    recorder.operation({ id, client, member, callUs, returnUs, request, outcome });
    if (outcome.kind === "ok") revision = outcome.revision;
    else said = outcome.error;
    return outcome.kind === "ok";
  });
  if (isServing) return revision;
  return `${member} served no read ${recoveryMs / 1_000} s after the last fault: ${said}`;
}

/**
 * Compares the members when nobody writes any more: all must come to one revision, and hold the
 * same there.
 */
async function compareAtRest(
  clock: Clock,
  connections: readonly NamedConnection[],
  revision: number,
): Promise<readonly string[]> {
  let revisions: readonly (readonly [string, number])[] = [];
  const isSame = await within(clock, recoveryMs, async () => {
    revisions = await Promise.all(connections.map(ownRevision));
    return new Set(revisions.map(([, own]) => own)).size === 1 && revisions[0]?.[1] !== 0;
  });
  if (!isSame) {
    const text = revisions.map(([member, own]) => `${member} is at ${own}`).join(", ");
    return [`the members do not come to one revision after the last request: ${text}`];
  }
  const at = Math.max(revision, revisions[0]?.[1] ?? 0);
  return (await compareHashes(connections, at)).findings;
}

/** The revision of a member's own state. 0: it did not answer. */
async function ownRevision([member, connection]: NamedConnection): Promise<
  readonly [string, number]
> {
  const { path, bytes } = encodeRequest({ kind: "range", key: first, serializable: true });
  const result = await connection.call(path, bytes, callMs);
  if (result.kind === "failed") return [member, 0];
  return [member, decodeAnswer({ kind: "range", key: first }, result.bytes).revision];
}

async function within(clock: Clock, ms: number, isSo: () => Promise<boolean>): Promise<boolean> {
  const endMs = clock.now() + ms;
  for (;;) {
    if (await isSo()) return true;
    if (clock.now() >= endMs) return false;
    await pauseFor(clock, pollMs);
  }
}
