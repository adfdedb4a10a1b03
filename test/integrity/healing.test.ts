/** A larger state: the member dies while it heals; a watch on it goes on elsewhere. */
import { afterEach, describe, expect, test } from "vitest";
import type { WatchResponse } from "../../src/wire/gen/rpc.js";
import { backendFile, flipByte } from "../robustness/damage.js";
import { eventually, healed, noteOf } from "../robustness/incident.js";
import { damagedPlace, Stage, small } from "../robustness/stage.js";
import { bytes } from "../support/client.js";
import type { ClusterMember } from "../support/cluster.js";
import { isMissing } from "../support/server-kind.js";
import { Watcher } from "../support/watcher.js";

const large = { count: 120, valueBytes: () => 512 * 1024 };

let stage: Stage | undefined;
afterEach(() => stage?.dispose());

async function hurt(on: Stage, suspect: ClusterMember): Promise<void> {
  flipByte(backendFile(suspect.dataDir), on.seed.mark(damagedPlace));
  const key = on.seed.key(damagedPlace);
  await suspect.client.range({ key }).catch(() => undefined);
}

describe.skipIf(isMissing("lockstep"))("healing", () => {
  test("killed in the middle, twice: begins again and ends well", async () => {
    const on = await Stage.set(large);
    stage = on;
    const suspect = await on.follower();
    const { reader } = on.play(suspect);
    await eventually("reads are answered", () => reader.judged.right > 20);
    let fetching = suspect.process.waitForLine(/"fetching snapshot"/, 30_000);
    await hurt(on, suspect);
    for (let death = 0; death < 2; death++) {
      await fetching;
      await suspect.kill();
      expect(noteOf(suspect)).toBeDefined();
      fetching = suspect.spawn().waitForLine(/"fetching snapshot"/, 30_000);
    }
    await fetching;
    await healed(suspect, reader);
    await on.settle();
    expect(reader.judged).toMatchObject({ wrong: 0, lies: [] });
  });

  test("a watch on the contained member ends; elsewhere it goes on without a gap", async () => {
    const on = await Stage.set(small);
    stage = on;
    const suspect = await on.follower();
    const [healthy] = on.others(suspect) as [ClusterMember];
    on.play(suspect);
    const seen: bigint[] = [];
    const take = ({ events }: WatchResponse): void => {
      for (const { kv } of events) seen.push(kv?.mod_revision ?? 0n);
    };
    const range = { key: bytes("w/"), range_end: bytes("w0") };
    const first = new Watcher(suspect.client);
    first.create({ ...range, start_revision: 1n });
    while (seen.length < 50) take(await first.next());
    const ended = (async () => {
      for (;;) take(await first.next());
    })();
    const refusal = expect(ended).rejects.toThrow();
    await hurt(on, suspect);
    await refusal;
    const last = seen.at(-1) as bigint;
    const second = new Watcher(healthy.client);
    second.create({ ...range, start_revision: last + 1n });
    const count = seen.length;
    while (seen.length < count + 50) take(await second.next());
    second.close();
    // Every revision is one write of the load, except those of the seed before it.
    for (let at = 1; at < seen.length; at++) expect(seen[at]).toBe((seen[at - 1] as bigint) + 1n);
    await eventually("healed", () => noteOf(suspect) === undefined);
    await on.settle();
  });
});
