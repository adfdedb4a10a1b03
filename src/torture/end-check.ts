/**
 * After the last fault: every member serves again within a bound, all hold the same data at the same
 * revision, and every watch comes to that revision.
 */
import type { Clock } from "../platform/clock.js";
import type { Request } from "../verify/history/types.js";
import { encodeRequest } from "../verify/sim/clients/client-calls.js";
import { HashKVRequest, HashKVResponse } from "../wire/gen/rpc.js";
import { end, first } from "./draw-request.js";
import { outcomeOf } from "./kv-client.js";
import { pauseFor } from "./pause.js";
import type { Connection, Stage } from "./ports.js";
import type { Recorder } from "./recorder.js";
import type { TortureWatcher } from "./watcher.js";

const recoveryMs = 60_000;
const callMs = 5_000;
const pollMs = 100;
const clientNumber = 2_000;

export interface EndCheckParts {
  readonly clock: Clock;
  readonly stage: Stage;
  readonly recorder: Recorder;
  readonly watchers: readonly TortureWatcher[];
}

/** What is wrong; empty: nothing. */
export async function checkEnd(parts: EndCheckParts): Promise<readonly string[]> {
  const { stage, clock, watchers } = parts;
  const connections = stage.members.map((member) => [member, stage.connect(member)] as const);
  try {
    const findings: string[] = [];
    let revision = 0;
    for (const [place, [member, connection]] of connections.entries()) {
      const seen = await lastRead(parts, { member, connection, client: clientNumber + place });
      if (typeof seen === "string") findings.push(seen);
      else revision = Math.max(revision, seen);
    }
    if (findings.length > 0) return findings;
    findings.push(...(await compareHashes(connections, revision)));
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

/** A linearizable read of everything at each member, as one more client. The revision, or a finding. */
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

async function compareHashes(
  connections: readonly (readonly [string, Connection])[],
  revision: number,
): Promise<readonly string[]> {
  const request = HashKVRequest.encode({ revision: BigInt(revision) }).finish();
  const hashes = await Promise.all(
    connections.map(async ([member, connection]) => {
      const result = await connection.call("/etcdserverpb.Maintenance/HashKV", request, callMs);
      if (result.kind === "failed") return { member, told: `no hash: ${result.text}` };
      const { hash, compact_revision } = HashKVResponse.decode(result.bytes);
      return { member, told: `hash ${hash}, compacted ${compact_revision}` };
    }),
  );
  if (new Set(hashes.map(({ told }) => told)).size <= 1) return [];
  const text = hashes.map(({ member, told }) => `${member} ${told}`).join("; ");
  return [`the members differ at revision ${revision}: ${text}`];
}

async function within(clock: Clock, ms: number, isSo: () => Promise<boolean>): Promise<boolean> {
  const endMs = clock.now() + ms;
  for (;;) {
    if (await isSo()) return true;
    if (clock.now() >= endMs) return false;
    await pauseFor(clock, pollMs);
  }
}
