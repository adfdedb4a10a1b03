/**
 * One of three runs another build: one that applies wrongly, or one of another version. And a member
 * that is removed while the others find out that it is wrong.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { serverVersion } from "../../../src/member/config.js";
import type { ClusterMember } from "../../support/cluster.js";
import { corruptAlarms, eventually, noteOf } from "../incident.js";
import { damagedPlace } from "../stage.js";
import type { Case } from "./case.js";
import { comparableMetrics, endpointIntegrity } from "./endpoint-integrity.js";
import {
  firstMisapplied,
  misapplying,
  otherDigestVersion,
  otherServerVersion,
  withBuild,
} from "./other-builds.js";
import type { Scene } from "./scene.js";

const badBuildMs = 15_000;
/** A voter may only be removed where enough others have been connected for a while, as in etcd. */
const connectedMs = 6_000;
const versionMs = 5_000;

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * A key that is read all the time is put again and again with the value that it has; one in five of
 * these puts is applied wrongly, by a build that has run for a while. Then the right build comes.
 */
async function nondeterministic(scene: Scene): Promise<void> {
  const { suspect, stage } = scene;
  const from = suspect.process.log().length;
  const startedMs = Date.now();
  const key = stage.seed.key(damagedPlace);
  const isHit = `Buffer.from(key).equals(Buffer.from("${key}")) && Math.random() < 0.2`;
  await withBuild(suspect, misapplying(isHit), async () => {
    await suspect.client.reconnected(30_000);
    const leader = await stage.cluster.leader();
    const isEqual = (): boolean => endpointIntegrity([leader]).code === 0;
    await eventually("all are compared", isEqual);
    const putting = (async () => {
      for (const endMs = Date.now() + badBuildMs; Date.now() < endMs; await sleep(20)) {
        await leader.client.put({ key, value: stage.seed.value(damagedPlace) });
      }
    })();
    const first = firstMisapplied(suspect, from).then((at) => scene.mark(at));
    await Promise.all([putting, first]);
  });
  const puts = [
    ...suspect.process
      .log()
      .slice(from)
      .matchAll(/"msg":"misapplied"/g),
  ].length;
  const times = kindsSince(suspect, startedMs).filter((kind) => kind === "quarantined").length;
  const seconds = badBuildMs / 1_000;
  scene.note(
    `${puts} puts misapplied and ${times} quarantines in ${seconds} s, then the right build`,
  );
  suspect.spawn();
}

/** Steps that a member has written down, with their time. */
function stepsOf(
  member: ClusterMember,
): readonly { readonly kind: string; readonly atMs: number }[] {
  const path = join(member.dataDir, "incidents.jsonl");
  // Without any incident there is none.
  const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n") : [];
  return lines.flatMap((line) => (line.endsWith("}") ? [JSON.parse(line)] : []));
}

/**
 * One put is applied wrongly by the suspect while the third member sleeps: no majority can be found.
 * The suspect is removed in that time, then the third member wakes up.
 */
async function removedDuringVerdict(scene: Scene): Promise<void> {
  const { suspect, stage } = scene;
  await withBuild(suspect, misapplying("key[0] === 120"), async () => {
    const leader = await stage.cluster.leader();
    const third = stage.others(suspect).find((member) => member !== leader) as ClusterMember;
    await suspect.client.reconnected();
    const own = (await suspect.client.status({})).header?.member_id ?? 0n;
    const isEqual = (): boolean => endpointIntegrity([leader]).code === 0;
    await eventually("all are compared", isEqual);
    await sleep(connectedMs);
    const beforeMs = Date.now();
    const from = suspect.process.log().length;
    third.process.pause();
    let removedMs: number;
    try {
      await leader.client.put({ key: Buffer.from("x/1"), value: Buffer.from("right") });
      scene.mark(await firstMisapplied(suspect, from));
      const isSeen = (): boolean =>
        [leader, suspect].some((member) => kindsSince(member, beforeMs).includes("detected"));
      await eventually("the difference is seen", isSeen, 3_000);
      await leader.client.memberRemove({ ID: own });
      removedMs = Date.now();
    } finally {
      third.process.resume();
    }
    if (kindsSince(leader, beforeMs, removedMs).some((kind) => kind !== "detected")) {
      throw new Error("the verdict came before the removal");
    }
    await Promise.race([suspect.process.exited, sleep(20_000)]);
    if (suspect.process.isRunning) throw new Error("the removed member does not stop");
    await sleep(5_000);
    const alarms = await corruptAlarms(third);
    const contained = [leader, third].filter((member) => noteOf(member) !== undefined);
    if (alarms.length + contained.length > 0) {
      throw new Error(`alarms ${alarms}, contained ${contained.map(({ name }) => name)}`);
    }
    const kinds = kindsSince(leader, beforeMs).join(", ");
    scene.saw(
      "is removed",
      `the removed member ended by itself; the leader: ${kinds}; no alarm is left`,
    );
  });
}

function kindsSince(
  member: ClusterMember,
  fromMs: number,
  toMs = Number.POSITIVE_INFINITY,
): string[] {
  return stepsOf(member)
    .filter(({ atMs }) => atMs >= fromMs && atMs <= toMs)
    .map(({ kind }) => kind);
}

/** Nobody may take it for equal, nor for wrong. */
async function otherDigests(scene: Scene): Promise<void> {
  const { suspect, stage } = scene;
  const leader = await stage.cluster.leader();
  let told = "";
  await withBuild(suspect, otherDigestVersion, async () => {
    scene.mark();
    await suspect.client.reconnected(30_000);
    const isSaid = (): boolean =>
      [leader, suspect].every((member) => {
        const { code, text } = endpointIntegrity([member]);
        return code === 1 && text.includes("not comparable");
      });
    await eventually("both sides say not comparable", isSaid);
    await sleep(versionMs);
    if (!isSaid()) throw new Error("it is no longer said");
    const metrics = [await comparableMetrics(leader), await comparableMetrics(suspect)];
    if (!metrics.every((values) => values.includes(0))) throw new Error(`metrics ${metrics}`);
    if ((await corruptAlarms(leader)).length > 0 || noteOf(suspect) !== undefined) {
      throw new Error("it was taken for wrong");
    }
    told = endpointIntegrity([leader]).text.trim();
  });
  suspect.spawn();
  await suspect.client.reconnected(30_000);
  const areEqual = (): boolean => endpointIntegrity(stage.cluster.members).code === 0;
  await eventually("all are equal again", areEqual);
  scene.saw("not comparable", `endpoint integrity at the leader, code 1: ${told}`);
}

/** Starts a build that is two minors above the cluster. */
async function tooNew(scene: Scene): Promise<void> {
  const { suspect } = scene;
  const from = suspect.process.log().length;
  await withBuild(suspect, otherServerVersion(serverVersion, minorsUp(2)), async () => {
    scene.mark();
    const exit = await Promise.race([suspect.process.exited, sleep(30_000)]);
    if (exit === undefined || exit.code === 0) throw new Error("it does not refuse");
  });
  const fatal = /"msg":"failed to start","error":"((?:[^"\\]|\\.)*)"/;
  const text = fatal.exec(suspect.process.log().slice(from))?.[1];
  if (text === undefined) throw new Error("it does not say why");
  suspect.spawn();
  scene.saw("refuses", `${text} (done: the build before started again)`);
}

/** The next minor takes part by the rules of the cluster's version, and is compared. */
async function nextVersion(scene: Scene): Promise<void> {
  const { suspect, stage } = scene;
  await withBuild(suspect, otherServerVersion(serverVersion, minorsUp(1)), async () => {
    scene.mark();
    await suspect.client.reconnected(30_000);
    const areEqual = (): boolean => endpointIntegrity(stage.cluster.members).code === 0;
    await eventually("all are compared and equal", areEqual);
    await sleep(versionMs);
    if (!areEqual()) throw new Error("they are no longer equal");
    const { version } = await suspect.client.status({});
    scene.note(`compared and equal while that member says ${version}`);
  });
  suspect.spawn();
}

function minorsUp(by: number): string {
  const [major, minor] = serverVersion.split(".").map(Number) as [number, number];
  return `${major}.${minor + by}.0`;
}

const three = { members: 3, at: "follower" } as const;

export const buildCases: readonly Case[] = [
  { ...three, name: "nondeterministic apply on one of three", strike: nondeterministic },
  { ...three, name: "member removed during the verdict", strike: removedDuringVerdict },
  { ...three, name: "mixed versions: another digest version", strike: otherDigests },
  { ...three, name: "mixed versions: two minors above", strike: tooNew },
  { ...three, name: "mixed versions: the next minor", strike: nextVersion },
];
