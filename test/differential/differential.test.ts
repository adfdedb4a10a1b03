/**
 * Random sequences of requests on this server and on real etcd: every answer, every error text,
 * every event and every HashKV must be the same. LOCKSTEP_SEED=<number> repeats a run.
 */
import { describe, expect, test } from "vitest";
import { runSeed } from "../support/seeded-rng.js";
import { isMissing, type ServerKind, subject } from "../support/server-kind.js";
import { runCampaign } from "./campaign.js";

const seed = runSeed();
const LIMIT_MS = 400_000;
/** .ci/run asks for 300 sequences; the tests of every day make do with a sixth. */
const share = process.env["LOCKSTEP_CAMPAIGNS"] === "1" ? 1 : 6;

async function campaign(reference: ServerKind, sequences: number, shift: number): Promise<void> {
  const options = { reference, subject, seed: seed + shift, sequences, length: 100 };
  console.log(`differential: LOCKSTEP_SEED=${seed}, ${sequences} sequences against ${reference}`);
  const compared = await runCampaign({ ...options, restartEvery: 12 });
  expect(compared).toBeGreaterThanOrEqual(sequences * 100);
}

// Most of a run is waiting for the disk: two pairs of servers at a time.
describe.skipIf(isMissing("etcd35", subject)).concurrent("against etcd 3.5", () => {
  test(
    "long-lived servers, first half",
    () => campaign("etcd35", Math.round(148 / share), 0),
    LIMIT_MS,
  );
  test(
    "long-lived servers, second half",
    () => campaign("etcd35", Math.round(148 / share), 1),
    LIMIT_MS,
  );
  for (const shift of [2, 3, 4, 5]) {
    test(`fresh servers ${shift}`, () => campaign("etcd35", 1, shift), LIMIT_MS);
  }
});

describe.skipIf(isMissing("etcd34", subject)).concurrent("against etcd 3.4", () => {
  test("long-lived servers", () => campaign("etcd34", Math.round(40 / share), 6), LIMIT_MS);
});
