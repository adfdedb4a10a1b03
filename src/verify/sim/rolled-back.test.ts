/**
 * A majority is rolled back, and then its log passes the end of the third member's log in the same
 * term: index and term of all entries agree, so raft cannot tell the two histories apart.
 */
import { expect, test } from "vitest";
import { Story } from "./integrity-story.fixture.js";
import type { SimNode } from "./sim-node.js";

interface RolledBack {
  readonly story: Story;
  readonly ahead: SimNode;
  readonly others: readonly SimNode[];
  /** Log index and term where the third member's log ended. */
  readonly end: { readonly index: number; readonly term: number };
}

/** The others have written more since than they lost; the third member is down. */
function rolledBack(): RolledBack {
  const story = new Story();
  const { cluster } = story;
  story.write(5);
  story.durable();
  const crashAll = (): void => {
    for (const node of cluster.nodes) cluster.crash(node, "kill");
  };
  crashAll();
  const copies = new Map(cluster.nodes.map((node) => [node, cluster.copyDisk(node)]));
  cluster.startAll();
  const ahead = story.leader();
  story.write(10);
  story.durable();
  const log = ahead.member?.probe.log;
  const end = { index: log?.lastIndex() ?? 0, term: log?.term(log.lastIndex()) ?? 0 };
  crashAll();
  // What was acknowledged is gone, which no store can prevent.
  story.acked.clear();
  const others = story.others(ahead);
  for (const node of others) {
    const copy = copies.get(node);
    if (copy !== undefined) cluster.restoreDisk(node, copy);
    cluster.start(node);
  }
  story.leader();
  while (others.some((node) => (node.member?.probe.log.lastIndex() ?? 0) <= end.index))
    story.write(5);
  return { story, ahead, others, end };
}

function alarmed(node: SimNode): readonly bigint[] {
  const alarms = node.member?.machine.alarms() ?? [];
  return alarms.filter(({ alarm }) => alarm === "CORRUPT").map(({ memberId }) => memberId);
}

function keptFiles(node: SimNode): readonly string[] {
  return node.disk.exists("lost-entries") ? node.disk.list("lost-entries") : [];
}

test("a member with other entries of the same terms is told, keeps them, and does not heal", () => {
  const { story, ahead, others, end } = rolledBack();
  const { cluster } = story;
  const [other] = others as [SimNode];
  // The case that raft cannot see.
  expect(other.member?.probe.log.term(end.index)).toBe(end.term);
  cluster.start(ahead);
  story.until(() => ahead.member?.probe.divergence.own()?.kept !== undefined);
  cluster.clock.run(10_000);
  story.pass(300);
  const { memberId } = ahead;
  for (const node of others) expect(alarmed(node)).toEqual([memberId]);
  expect(ahead.member?.integrityRefusal()?.reason).toBe("corrupt");
  expect(story.wrong).toEqual([]);
  expect(story.write(5)).toBe(5);
  // Exactly what differs: the first entry of the leader that wrote it, and ten puts.
  const kept = ahead.member?.probe.divergence.own()?.kept;
  expect(kept?.last).toBe(end.index);
  expect(kept?.count).toBeGreaterThanOrEqual(10);
  expect(kept?.count).toBeLessThan(15);
  const told = ahead.member?.probe.incidents.all().flatMap(({ steps }) => steps) ?? [];
  const named = told.filter(({ kind }) => kind === "diverged").flatMap(({ evidence }) => evidence);
  expect(named.join("\n")).toMatch(/put "k14"/);
});

test("it stays so after a restart, when the leader has compacted what showed the difference", () => {
  const { story, ahead, others } = rolledBack();
  const { cluster } = story;
  cluster.start(ahead);
  story.until(() => ahead.member?.probe.divergence.own()?.kept !== undefined);
  const files = keptFiles(ahead);
  expect(files).toHaveLength(1);
  cluster.crash(ahead);
  story.write(300);
  for (const node of others) expect(node.member?.probe.log.firstIndex()).toBeGreaterThan(50);
  cluster.start(ahead);
  story.until(() => ahead.member?.isReady() === true);
  cluster.clock.run(10_000);
  story.pass(300);
  expect(ahead.member?.integrityRefusal()?.reason).toBe("corrupt");
  expect(ahead.member?.probe.divergence.own()?.kept).toBeDefined();
  expect(keptFiles(ahead)).toEqual(files);
  for (const node of others) expect(alarmed(node)).toEqual([ahead.memberId]);
  expect(story.wrong).toEqual([]);
});
