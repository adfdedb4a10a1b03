/**
 * A member is told to stop while clients ask everything of it at once. What clients are told is that it
 * is unavailable, so that they go elsewhere; and its log stays a log.
 */
import { afterEach, describe, expect, test } from "vitest";
import { bytes, EtcdClient } from "../support/client.js";
import { Cluster, type ClusterMember } from "../support/cluster.js";
import { isMissing, subject } from "../support/server-kind.js";
import { callNames, Hammer } from "./hammer.js";

let cluster: Cluster | undefined;
afterEach(async () => {
  await cluster?.dispose();
  cluster = undefined;
});

const names = callNames.filter((name) => subject === "lockstep" || name !== "integrity report");

async function fill(member: ClusterMember): Promise<void> {
  for (let at = 0; at < 1_000; at++) {
    const key = bytes(`k${String(at).padStart(4, "0")}`);
    await member.client.put({ key, value: Buffer.alloc(300, 65) });
  }
}

/** What is not JSON, without the lines that the test's support wrote. */
function strangeLines(member: ClusterMember): string[] {
  return member.process
    .log()
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("--- ") && !/^\{.*\}$/.test(line));
}

/** Stops the member under full load, and tells what its clients were answered but OK. */
async function stopUnderLoad(member: ClusterMember): Promise<string[]> {
  const clients = Array.from({ length: 8 }, () => new EtcdClient(member.endpoint));
  const every = new Hammer(clients.slice(0, 1), { width: 2, names });
  const gets = new Hammer(clients, { width: 25, names: ["serializable get", "put"] });
  await Promise.all([every.answered(150), gets.answered(1_500)]);
  const { code, signal } = await member.stop();
  await Promise.all([every.end(), gets.end()]);
  for (const client of clients) client.close();
  // etcd raises the signal again when it is done.
  expect([code, signal]).toEqual(subject === "lockstep" ? [0, null] : [null, "SIGTERM"]);
  return [...every.answers.keys(), ...gets.answers.keys()].filter((told) => !told.endsWith(": OK"));
}

describe.skipIf(isMissing(subject))("a member that stops under load", () => {
  test.each([
    [1, 3],
    [3, 3],
  ])(
    "of %i members: clients hear of nothing but that it is unavailable",
    async (size, rounds) => {
      cluster = await Cluster.start({ kind: subject, size });
      await fill(cluster.first);
      const told = new Set<string>();
      for (let round = 0; round < rounds; round++) {
        const member = cluster.members[round % size] as ClusterMember;
        for (const answer of await stopUnderLoad(member)) told.add(answer);
        await member.start();
        await member.client.reconnected();
      }
      expect([...told].filter((answer) => !/^[^:]+: UNAVAILABLE /.test(answer))).toEqual([]);
      expect([...told].some((answer) => /server stopped|dropped|refused/.test(answer))).toBe(true);
      if (subject === "lockstep") expect(cluster.members.flatMap(strangeLines)).toEqual([]);
    },
    240_000,
  );
});
