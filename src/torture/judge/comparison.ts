/**
 * Compares the data of all members: HashKV at one revision. After a fault the comparison is tried
 * while nothing else harms the cluster, and given up as soon as something does. At the end of a run
 * it must succeed.
 */
import type { Clock } from "../../platform/clock.js";
import { HashKVRequest, HashKVResponse, RangeRequest, RangeResponse } from "../../wire/gen/rpc.js";
import { pauseFor } from "../pause.js";
import type { Connection } from "../ports.js";
import { first } from "../traffic/draw-request.js";

const callMs = 5_000;
const pollMs = 100;
const hashPath = "/etcdserverpb.Maintenance/HashKV";

/** A member's name with a connection to it alone. */
export type NamedConnection = readonly [member: string, connection: Connection];

/** Compares all members. Undefined: no comparison was possible. Empty: they are equal. */
export async function compareMembers(
  connections: readonly NamedConnection[],
  options: { readonly clock: Clock; readonly withinMs: number; isGivenUp(): boolean },
): Promise<readonly string[] | undefined> {
  const { clock, withinMs, isGivenUp } = options;
  const endMs = clock.now() + withinMs;
  while (clock.now() < endMs && !isGivenUp()) {
    const revision = await currentRevision(connections);
    if (revision !== undefined) {
      const told = await compareHashes(connections, revision);
      if (told.isTold) return told.findings;
    }
    await pauseFor(clock, pollMs);
  }
  return undefined;
}

/**
 * Compares the hashes that the members gave. `isTold`: all members gave one, with the same
 * compacted revision. A member that is behind, or was compacted beyond that revision, gives none.
 */
export async function compareHashes(
  connections: readonly NamedConnection[],
  revision: number,
): Promise<{ readonly isTold: boolean; readonly findings: readonly string[] }> {
  const request = HashKVRequest.encode({ revision: BigInt(revision) }).finish();
  const answers = await Promise.all(
    connections.map(async ([member, connection]) => {
      const result = await connection.call(hashPath, request, callMs);
      if (result.kind === "failed") return { member, told: `no hash: ${result.text}` };
      const { hash, compact_revision } = HashKVResponse.decode(result.bytes);
      return { member, hash, compacted: compact_revision, told: `hash ${hash}` };
    }),
  );
  const isTold =
    new Set(answers.map(({ compacted }) => compacted)).size === 1 && isHash(answers[0]);
  const isSame = new Set(answers.map(({ told }) => told)).size === 1;
  const text = answers.map(({ member, told }) => `${member} ${told}`).join("; ");
  const findings = isSame ? [] : [`the members differ at revision ${revision}: ${text}`];
  return { isTold, findings };
}

function isHash(answer: { readonly hash?: number } | undefined): boolean {
  return answer?.hash !== undefined;
}

/** The current revision, by a linearizable read at any member that answers. */
async function currentRevision(
  connections: readonly NamedConnection[],
): Promise<number | undefined> {
  const request = RangeRequest.encode({
    ...RangeRequest.decode(new Uint8Array(0)),
    key: Buffer.from(first),
    count_only: true,
  }).finish();
  for (const [, connection] of connections) {
    const result = await connection.call("/etcdserverpb.KV/Range", request, callMs);
    if (result.kind === "ok") return Number(RangeResponse.decode(result.bytes).header?.revision);
  }
  return undefined;
}
