/** Real etcdctl 3.5 prints the same against this server and against etcd 3.5. */
import { afterAll, describe, expect, test } from "vitest";
import { Cluster } from "../support/cluster.js";
import { isMissing, type ServerKind, subject } from "../support/server-kind.js";
import { plainTarget, runScript, type Step, type StepResult } from "./etcdctl.js";
import { oneMember, threeMembers } from "./etcdctl-script.js";

const clusters: Cluster[] = [];
afterAll(() => Promise.all(clusters.map((cluster) => cluster.dispose())));

async function runOn(kind: ServerKind, size: number, steps: readonly Step[]) {
  const cluster = await Cluster.start({ kind, size });
  clusters.push(cluster);
  await cluster.leader();
  return runScript(plainTarget(cluster), steps);
}

function story(results: readonly StepResult[]): string {
  return results.map(({ run, output }) => `$ etcdctl ${run}\n${output}`).join("\n\n");
}

describe.skipIf(isMissing("etcd35", subject))("etcdctl", () => {
  test.each([
    { size: 1, steps: oneMember },
    { size: 3, steps: threeMembers },
  ])(
    "on $size member(s)",
    async ({ size, steps }) => {
      const [expected, actual] = await Promise.all([
        runOn("etcd35", size, steps),
        runOn(subject, size, steps),
      ]);
      expect(story(actual)).toBe(story(expected));
    },
    240_000,
  );
});
