/**
 * One bit flips in the backend file of one of three members. On stock etcd 3.5 every read of that row
 * is wrong from then on and nobody is told (`npm run integrity` shows it).
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterEach, describe, expect, test } from "vitest";
import { backendFile, flipByte } from "../robustness/damage.js";
import { corruptAlarms, eventually, healed, health, idOf, noteOf } from "../robustness/incident.js";
import { damagedPlace, Stage, small } from "../robustness/stage.js";
import { etcdctlPath, isMissing } from "../support/server-kind.js";

/** As an operator asks. */
async function alarmList(endpoint: string): Promise<string> {
  const run = promisify(execFile);
  return (await run(etcdctlPath(), ["--endpoints", endpoint, "alarm", "list"])).stdout;
}

let stage: Stage | undefined;
afterEach(() => stage?.dispose());

describe.skipIf(isMissing("lockstep", "etcd35"))("a flipped bit in a row", () => {
  test("of a stopped member: refused until healed, told by an alarm that ends by itself", async () => {
    const on = await Stage.set(small);
    stage = on;
    const suspect = await on.follower();
    const [healthy] = on.others(suspect);
    if (healthy === undefined) throw new Error("no other member");
    const id = await idOf(suspect);
    await suspect.stop();
    expect(flipByte(backendFile(suspect.dataDir), on.seed.mark(damagedPlace))).toBeGreaterThan(0);
    const { load, reader } = on.play(suspect);
    const alarms: string[] = [];
    const bodies: string[] = [];
    const before = load.acknowledged;
    const watching = (async () => {
      await eventually("the alarm is raised", async () => {
        const list = await alarmList(healthy.endpoint);
        alarms.push(
          ...[...list.matchAll(/memberID:(\d+) alarm:CORRUPT/g)].map(([, is]) => `${is}`),
        );
        return alarms.length > 0;
      });
    })();
    const probing = eventually("/readyz refuses", async () => {
      const { status, body } = await health(suspect, "/readyz");
      if (status === 503) bodies.push(body);
      return status === 503;
    });
    await suspect.start();
    await watching;
    await probing;
    await healed(suspect, reader);
    await eventually("the alarm ends", async () => (await corruptAlarms(healthy)).length === 0);
    expect(new Set(alarms)).toEqual(new Set([`${BigInt(`0x${id}`)}`]));
    expect(bodies.length).toBeGreaterThan(0);
    // What an operator should do with a damaged member that cannot heal is not said of one that heals.
    expect(suspect.process.log()).not.toMatch(/Remove this member/);
    expect((await health(suspect, "/readyz")).status).toBe(200);
    expect(load.acknowledged).toBeGreaterThan(before);
    await on.settle();
    expect(reader.judged).toMatchObject({ wrong: 0, lies: [] });
    expect(reader.judged.right).toBeGreaterThan(0);
    expect(load.failed).toBe(0);
  });

  test("of a running member, read at once: never answered", async () => {
    const on = await Stage.set(small);
    stage = on;
    const suspect = await on.follower();
    const { reader } = on.play(suspect);
    // What is read was saved before it is damaged: a save is a tenth of a second behind.
    await eventually("reads are answered", () => reader.judged.right > 50);
    flipByte(backendFile(suspect.dataDir), on.seed.mark(damagedPlace));
    const reads = [false, true].map((serializable) =>
      suspect.client.range({ key: on.seed.key(damagedPlace), serializable }).then(
        ({ kvs }) => {
          throw new Error(`answered: ${String(kvs[0]?.value).slice(0, 40)}`);
        },
        (error: Error) => error.message,
      ),
    );
    const answers = await Promise.all(reads);
    for (const text of answers) expect(text).toMatch(/corrupt cluster|server stopped/);
    await eventually("the quarantine is noted", () => noteOf(suspect) !== undefined);
    await healed(suspect, reader);
    await on.settle();
    expect(reader.judged).toMatchObject({ wrong: 0, lies: [] });
  });
});
