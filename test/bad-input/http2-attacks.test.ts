/**
 * Attacks on the limits of HTTP/2, on a real server: its memory stays where it is, and a client on
 * another connection is served all the while.
 */
import { afterEach, expect, test } from "vitest";
import { bytes, EtcdClient } from "../support/client.js";
import { Cluster } from "../support/cluster.js";
import { attack, attacks } from "./http2-attacks.js";

const mebibyte = 1 << 20;
/** Garbage that was not collected yet, and what a limit allows each of the three connections. */
const growthMax: Readonly<Record<string, number>> = {
  "answers that are not read": 300 * mebibyte,
  "answers for which there is no window": 300 * mebibyte,
  "many messages, none complete": 250 * mebibyte,
};
const growthMaxElse = 120 * mebibyte;

let cluster: Cluster | undefined;
afterEach(() => cluster?.dispose());

/** Puts one after the other until it is stopped; gives how many were answered, and the peak of memory. */
function putOn(
  client: EtcdClient,
  memory: () => number,
): { stop(): Promise<{ count: number; peak: number }> } {
  let isStopped = false;
  let count = 0;
  let peak = 0;
  const done = (async () => {
    while (!isStopped) {
      await client.put({ key: bytes("neighbour"), value: bytes(String(count)) });
      count++;
      peak = Math.max(peak, memory());
    }
  })();
  return {
    stop: async () => {
      isStopped = true;
      await done;
      return { count, peak };
    },
  };
}

test("no attack costs the neighbour its answers, or the server its memory", async () => {
  const of = await Cluster.start({ kind: "lockstep" });
  cluster = of;
  const { client, process, plan } = of.first;
  await client.put({ key: bytes("big"), value: Buffer.alloc(mebibyte, 1) });
  const neighbour = new EtcdClient(of.first.endpoint);
  for (const name of Object.keys(attacks)) {
    const memory = (): number => process.memory().anonBytes;
    const before = memory();
    const puts = putOn(neighbour, memory);
    await attack(plan.clientPort, name);
    const { count, peak } = await puts.stop();
    expect(count, name).toBeGreaterThan(0);
    const growth = peak - before;
    expect(growth, name).toBeLessThan(growthMax[name] ?? growthMaxElse);
    expect(of.first.isRunning, name).toBe(true);
  }
  neighbour.close();
  const { kvs } = await client.range({ key: bytes("big") });
  expect(kvs[0]?.value.length).toBe(mebibyte);
}, 180_000);
