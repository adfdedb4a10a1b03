/** Members whose state goes wrong while they run: found, contained alone, healed. */
import { describe, expect, test } from "vitest";
import { KvError } from "../../base/errors.js";
import type { SnapshotStream } from "../../member/types.js";
import { Bucket } from "../../platform/rows.js";
import { RangeRequest } from "../../wire/gen/rpc.js";
import { Story } from "./integrity-story.fixture.js";

describe.each(["follower", "leader"] as const)("the %s applies an entry wrongly:", (role) => {
  test("it is found at once, contained alone, and heals while the others serve", () => {
    const story = new Story();
    story.write(20);
    const node = role === "leader" ? story.leader() : story.follower();
    const wrong = story.misapply(node);
    story.write(1);
    story.until(() => node.isInQuarantine(), 1_000);
    const foundMs = story.cluster.clock.now();
    expect(foundMs - wrong.atMs()).toBeLessThan(400);
    expect(story.others(node).every((other) => other.isServing())).toBe(true);
    expect(story.write(60)).toBeGreaterThan(role === "follower" ? 55 : 10);
    story.healed();
    expect(story.wrongSince(foundMs)).toEqual([]);
    expect(node.member?.probe.timesHealed()).toBe(1);
  });
});

test("a row that fails its check value is not answered; its member heals", () => {
  const story = new Story();
  story.write(20);
  const node = story.follower();
  const backend = node.member?.probe.stateName() as string;
  story.durable();
  const spot = { bucket: Bucket.key, row: 3, bit: 5 };
  expect(node.backends.faults.flipBit(backend, spot)).toBeDefined();
  const range = { key: Buffer.from("k0"), range_end: Buffer.from("z") };
  const request = { ...RangeRequest.decode(new Uint8Array(0)), ...range };
  let damage: Error | undefined;
  try {
    node.member?.machine.kv.range(request);
  } catch (error) {
    damage = error as Error;
  }
  expect(damage?.message).toContain("fails its check value");
  node.member?.fail(damage as Error);
  expect(node.member?.integrityRefusal()).toBeInstanceOf(KvError);
  story.write(20);
  story.healed();
  expect(story.wrong).toEqual([]);
});

test("a rotten row is not sent on: who was to give its state away heals instead", () => {
  const story = new Story();
  story.write(20);
  const node = story.follower();
  story.durable();
  const backend = node.member?.probe.stateName() as string;
  node.backends.faults.flipBit(backend, { bucket: Bucket.key, row: 3, bit: 5 });
  let stream: SnapshotStream | undefined;
  node.member?.openSnapshot((opened) => {
    if (!(opened instanceof Error)) stream = opened;
  });
  story.until(() => stream !== undefined);
  let told: unknown = new Uint8Array(0);
  while (told instanceof Uint8Array) told = stream?.next();
  expect(told).toBeInstanceOf(KvError);
  expect(node.isInQuarantine()).toBe(true);
  story.healed();
});
