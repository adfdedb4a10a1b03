/**
 * Files of a stopped member that were lost, swapped or cut. The member heals, or does not start and
 * says what to do; it never answers from them.
 */

import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { flipLog } from "../../src/cli/stage/file-damage.js";
import * as damage from "../robustness/damage.js";
import { eventually, healed } from "../robustness/incident.js";
import type { Reader } from "../robustness/reader.js";
import { damagedPlace, Stage, small } from "../robustness/stage.js";
import type { ClusterMember } from "../support/cluster.js";
import { isMissing } from "../support/server-kind.js";

let stage: Stage | undefined;
/** The healed cluster serves the next test, too. */
async function healthyStage(): Promise<Stage> {
  stage ??= await Stage.set(small);
  return stage;
}
async function endStage(): Promise<void> {
  await stage?.dispose();
  stage = undefined;
}
afterEach(async ({ task }) => {
  if (task.result?.state === "fail") await endStage();
});
afterAll(endStage);

const withShortLog = {
  ...small,
  paceMs: 0,
  flags: ["--snapshot-count=200", "--snapshot-catchup-entries=100"],
};

async function applied(member: ClusterMember): Promise<number> {
  return Number((await member.client.status({})).raftAppliedIndex);
}

/** The member is stopped, its files are damaged, and it has started again. */
async function restartOn(
  on: Stage,
  harm: (dataDir: string) => void | Promise<void>,
): Promise<{ readonly suspect: ClusterMember; readonly reader: Reader }> {
  const suspect = await on.follower();
  const { reader } = on.play(suspect);
  await eventually("reads are answered", () => reader.judged.right > 20);
  await suspect.stop();
  await harm(suspect.dataDir);
  await suspect.start();
  await suspect.client.reconnected();
  return { suspect, reader };
}

/** What a member that does not start says. */
async function refusalOf(member: ClusterMember): Promise<string> {
  const process = member.spawn();
  const before = process.log().length;
  const { code } = await process.exited;
  expect(code).toBe(1);
  return process.log().slice(before);
}

describe.skipIf(isMissing("lockstep"))("a stopped member's backend file", () => {
  test.each([
    ["is missing", damage.removeBackend],
    ["is cut to half", (dataDir: string) => damage.truncateBackend(dataDir, 0.5)],
    ["misses a row", (dataDir: string) => damage.loseRow(dataDir, mark())],
    [
      "has a row more, with a valid check value",
      (dataDir: string) => damage.addRow(dataDir, mark()),
    ],
    [
      "has a changed row, its check value and the digests forged with it",
      (dataDir: string) => damage.forgeRow(dataDir, mark()),
    ],
    ["tells a lower index", (dataDir: string) => damage.moveAppliedIndex(dataDir, -3)],
  ])("%s: healed", async (_what, harm) => {
    const on = await healthyStage();
    const { suspect, reader } = await restartOn(on, harm);
    await healed(suspect, reader);
    await on.settle();
    expect(reader.judged).toMatchObject({ wrong: 0, lies: [] });
    expect(suspect.process.log()).toMatch(/"healed: this member serves again"/);
  });

  test.each([
    ["its own log leads on from it", small, 100],
    ["its log begins later", withShortLog, 500],
  ])("is an older copy, and %s", async (_what, options, entries) => {
    await endStage();
    const on = await Stage.set(options);
    stage = on;
    const suspect = await on.follower();
    const copy = join(suspect.plan.folder, "earlier.mdb");
    await suspect.stop();
    damage.copyBackend(suspect.dataDir, copy);
    await suspect.start();
    await suspect.client.reconnected();
    const { reader } = on.play(suspect);
    const from = await applied(suspect);
    await eventually("entries", async () => (await applied(suspect)) > from + entries);
    await suspect.stop();
    damage.swapBackend(suspect.dataDir, copy);
    await suspect.start();
    await suspect.client.reconnected();
    await healed(suspect, reader);
    await on.settle();
    expect(reader.judged).toMatchObject({ wrong: 0, lies: [] });
  });
});

describe.skipIf(isMissing("lockstep"))("a stopped member's write-ahead log", () => {
  test("damaged at its end: what the others have is what it answers", async () => {
    await endStage();
    const on = await healthyStage();
    const { suspect, reader } = await restartOn(on, (dataDir) => flipLog(dataDir, 1));
    await healed(suspect, reader);
    await on.settle();
    expect(reader.judged).toMatchObject({ wrong: 0, lies: [] });
  });

  test("shorter than the backend: the member does not start, and says what to do", async () => {
    const on = await healthyStage();
    const suspect = await on.follower();
    await suspect.stop();
    await damage.moveAppliedIndex(suspect.dataDir, 50);
    const said = await refusalOf(suspect);
    expect(said).toMatch(/log was lost\. Remove this member from the cluster and add it anew/);
    await damage.moveAppliedIndex(suspect.dataDir, -50);
    await suspect.start();
  });

  test("damaged in the middle: the member does not start, and says what to do", async () => {
    const on = await healthyStage();
    const suspect = await on.follower();
    await suspect.stop();
    flipLog(suspect.dataDir, 0.5);
    const said = await refusalOf(suspect);
    expect(said).toMatch(/\.wal: offset \d+: a damaged record, with a later durable one behind it/);
    expect(said).toMatch(/Restore the file from a copy, or remove this member from the cluster/);
    await endStage();
  });
});

/** The bytes of the row that is damaged. */
function mark(): Buffer {
  if (stage === undefined) throw new Error("no stage");
  return stage.seed.mark(damagedPlace);
}
