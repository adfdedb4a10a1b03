/**
 * Rounds of sudden death under load: members are killed (SIGKILL) at a random moment, some get a
 * torn record at the end of their log, all come back, and then every acknowledged write must be in
 * the history, none twice, and every member must hold the same data.
 */

import { tearTail } from "../../src/cli/stage/file-damage.js";
import { Cluster, type ClusterMember } from "../support/cluster.js";
import { SeededRng } from "../support/seeded-rng.js";
import type { ServerKind } from "../support/server-kind.js";
import { Load } from "./load.js";

export interface CrashOptions {
  readonly kind: ServerKind;
  readonly size: number;
  readonly rounds: number;
  readonly writers: number;
  readonly seed: number;
  /** Percent of deaths that leave a torn record; etcd itself does not survive one like ours. */
  readonly tornTailPercent: number;
  readonly report: (line: string) => void;
}

const RECOVERY_LIMIT_MS = 20_000;

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until a linearizable read through `member` succeeds. */
export async function serves(member: ClusterMember): Promise<void> {
  const deadline = Date.now() + RECOVERY_LIMIT_MS;
  for (;;) {
    try {
      await member.client.range({ key: Buffer.from("none") }, { timeoutMs: 2_000 });
      return;
    } catch (cause) {
      if (Date.now() > deadline) {
        throw new Error(`${member.name} serves no reads: ${String(cause)}\n${tail(member)}`);
      }
      await sleep(20);
    }
  }
}

function tail(member: ClusterMember): string {
  return member.process.log().split("\n").slice(-15).join("\n");
}

/** HashKV at `revision` on every member, once each has applied up to it. @throws if they differ. */
export async function compareHashes(
  cluster: Pick<Cluster, "members">,
  revision: number,
): Promise<void> {
  const hashes = await Promise.all(
    cluster.members.map(async (member) => {
      await serves(member);
      const { hash } = await member.client.hashKv({ revision: BigInt(revision) });
      return hash;
    }),
  );
  if (new Set(hashes).size > 1) {
    throw new Error(`members differ at revision ${revision}: HashKV ${hashes.join(", ")}`);
  }
}

async function killAndRestart(
  cluster: Cluster,
  rng: SeededRng,
  options: CrashOptions,
): Promise<string> {
  const all = rng.chance(35);
  const victims = all ? [...cluster.members] : [rng.pick(cluster.members)];
  await Promise.all(victims.map((member) => member.kill()));
  let story = `killed ${victims.map((member) => member.name).join(" ")}`;
  for (const member of victims) {
    if (rng.chance(options.tornTailPercent)) story += `, ${tearTail(member.dataDir, rng)}`;
  }
  if (!all) await sleep(rng.int(400));
  await Promise.all(victims.map((member) => member.start()));
  return story;
}

/** @throws with seed, round and what was done in it. */
export async function crashRounds(options: CrashOptions): Promise<Load> {
  const rng = new SeededRng(options.seed);
  const cluster = await Cluster.start({ kind: options.kind, size: options.size });
  const load = new Load(cluster, {
    writers: options.writers,
    rng: new SeededRng(options.seed + 1),
  });
  let story = "";
  try {
    for (let round = 1; round <= options.rounds; round++) {
      story = `seed ${options.seed}, round ${round}: `;
      load.start();
      await sleep(150 + rng.int(600));
      story += await killAndRestart(cluster, rng, options);
      await Promise.all(cluster.members.map(serves));
      await load.pause();
      const revision = await load.verify(rng.pick(cluster.members));
      await compareHashes(cluster, revision);
      const { acknowledged, failed } = load;
      options.report(`${story}; revision ${revision}, ${acknowledged} acknowledged, ${failed} not`);
    }
    return load;
  } catch (cause) {
    throw new Error(`${story}: ${(cause as Error).message}`, { cause });
  } finally {
    await load.pause();
    await cluster.dispose();
  }
}
