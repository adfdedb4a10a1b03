/** The faults of the matrix: on which cluster, at whom, and what is done. */

import { rmSync } from "node:fs";
import { join } from "node:path";
import { flipLog } from "../../../src/cli/stage/file-damage.js";
import type { ClusterMember } from "../../support/cluster.js";
import * as damage from "../damage.js";
import { eventually, idOf, noteOf } from "../incident.js";
import { buildCases } from "./build-cases.js";
import { type Case, entriesPastLog, file, flipRunning } from "./case.js";
import { flightCases } from "./flight-cases.js";
import type { Scene } from "./scene.js";

async function staleBackend(
  scene: Scene,
  entries: number,
  more: (dataDir: string) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const { suspect } = scene;
  const copy = join(suspect.plan.folder, "earlier.mdb");
  await suspect.stop();
  damage.copyBackend(suspect.dataDir, copy);
  await suspect.start();
  await suspect.client.reconnected();
  const from = await scene.appliedIndex();
  const isPast = async (): Promise<boolean> => (await scene.appliedIndex()) > from + entries;
  await eventually("entries have passed", isPast, 120_000);
  await scene.whileStopped(async () => {
    damage.swapBackend(suspect.dataDir, copy);
    await more(suspect.dataDir);
  });
  rmSync(copy);
}

/** Kills whoever serves the state, or the healing member, in the middle. */
async function healingDies(scene: Scene, who: "source" | "suspect"): Promise<void> {
  const { suspect, stage } = scene;
  const ids = new Map<string, ClusterMember>();
  for (const member of stage.cluster.members) ids.set(await idOf(member), member);
  const fetching = suspect.process.waitForLine(/"fetching a right state"/, 60_000);
  await flipRunning(scene);
  await fetching;
  const from = /"fetching a right state","from":"([0-9a-f]+)"/g;
  const source = [...suspect.process.log().matchAll(from)].at(-1)?.[1] ?? "";
  const victim = who === "source" ? ids.get(source) : suspect;
  if (victim === undefined) throw new Error(`no member ${source}`);
  await victim.kill();
  if (noteOf(suspect) === undefined) throw new Error("it had healed before the blow");
  victim.spawn();
}

/** On two of three, the same row in the same way. */
async function twoWrong(
  scene: Scene,
  how: (dataDir: string) => void | Promise<void>,
): Promise<void> {
  const { suspect, stage } = scene;
  const [second] = stage.others(suspect) as [ClusterMember];
  await second.stop();
  await how(second.dataDir);
  await scene.whileStopped(() => how(suspect.dataDir));
  second.spawn();
}

const three = { members: 3, at: "follower" } as const;

export const cases: readonly Case[] = [
  {
    ...three,
    name: "bit flip in a row, member stopped",
    strike: (scene) => scene.whileStopped(() => void damage.flipByte(file(scene), scene.needle)),
  },
  { ...three, name: "bit flip in a row, member running", strike: flipRunning },
  {
    ...three,
    name: "lost row",
    strike: (scene) =>
      scene.whileStopped(() => damage.loseRow(scene.suspect.dataDir, scene.needle)),
  },
  {
    ...three,
    name: "extra row with a valid check value",
    strike: (scene) => scene.whileStopped(() => damage.addRow(scene.suspect.dataDir, scene.needle)),
  },
  {
    ...three,
    name: "changed row, check value and digests forged with it",
    strike: (scene) =>
      scene.whileStopped(() => damage.forgeRow(scene.suspect.dataDir, scene.needle)),
  },
  {
    ...three,
    name: "applied index 3 too low (entries applied twice)",
    strike: (scene) => scene.whileStopped(() => damage.moveAppliedIndex(scene.suspect.dataDir, -3)),
  },
  {
    ...three,
    name: "applied index 3 too high (entries never applied)",
    strike: (scene) => staleBackend(scene, 100, (dataDir) => damage.moveAppliedIndex(dataDir, 3)),
  },
  {
    ...three,
    name: "stale backend file, log still held",
    strike: (scene) => staleBackend(scene, 200),
  },
  {
    ...three,
    name: "stale backend file, log gone on",
    strike: (scene) => staleBackend(scene, entriesPastLog),
  },
  {
    ...three,
    name: "backend file missing",
    strike: (scene) => scene.whileStopped(() => damage.removeBackend(scene.suspect.dataDir)),
  },
  {
    ...three,
    name: "backend file cut to half",
    strike: (scene) => scene.whileStopped(() => damage.truncateBackend(scene.suspect.dataDir, 0.5)),
  },
  {
    ...three,
    name: "write-ahead log damaged at its end",
    strike: (scene) => scene.whileStopped(() => flipLog(scene.suspect.dataDir, 1)),
  },
  {
    ...three,
    name: "write-ahead log damaged in the middle",
    strike: (scene) => scene.whileStopped(() => flipLog(scene.suspect.dataDir, 0.5)),
  },
  { ...three, name: "leader wrong", at: "leader", strike: flipRunning },
  {
    ...three,
    name: "healing source dies",
    strike: (scene) => healingDies(scene, "source"),
  },
  {
    ...three,
    name: "healing member dies",
    strike: (scene) => healingDies(scene, "suspect"),
  },
  ...flightCases,
  ...buildCases,
  {
    members: "learner",
    at: "learner",
    name: "learner, bit flip, running",
    strike: flipRunning,
  },
  {
    members: 2,
    at: "follower",
    name: "two members, bit flip, stopped",
    strike: (scene) => scene.whileStopped(() => void damage.flipByte(file(scene), scene.needle)),
  },
  {
    members: 1,
    at: "leader",
    name: "one member, bit flip, stopped",
    strike: (scene) => scene.whileStopped(() => void damage.flipByte(file(scene), scene.needle)),
    isLast: true,
  },
  {
    ...three,
    name: "two of three, the same row flipped",
    strike: (scene) =>
      twoWrong(scene, (dataDir) => void damage.flipByte(damage.backendFile(dataDir), scene.needle)),
    isLast: true,
  },
  {
    ...three,
    name: "two of three, the same row forged with its digests",
    strike: (scene) => twoWrong(scene, (dataDir) => damage.forgeRow(dataDir, scene.needle)),
    isLast: true,
  },
];
