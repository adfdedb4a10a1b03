/**
 * Attacks by WebSocket on the gateway of a real server: each socket that goes too far gets its close
 * code, each cause one line in the log, memory stays where it is, and a client beside is served.
 */
import { afterEach, expect, test } from "vitest";
import { bytes } from "../support/client.js";
import { Cluster } from "../support/cluster.js";
import { attackSockets, socketAttacks } from "./web-socket-attacks.js";

const mebibyte = 1 << 20;
/** Garbage that was not collected yet, and 32 of the largest requests of which a half has come. */
const growthMax = 200 * mebibyte;

let cluster: Cluster | undefined;
afterEach(() => cluster?.dispose());

test("no WebSocket costs the neighbour its answers, or the server its memory", async () => {
  const of = await Cluster.start({ kind: "lockstep" });
  cluster = of;
  const { client, process, plan } = of.first;
  const put = () => client.put({ key: bytes("a"), value: bytes("b") });
  for (const [name, attack] of Object.entries(socketAttacks)) {
    await put();
    const before = process.memory().anonBytes;
    let isOver = false;
    let peak = 0;
    const attacked = attackSockets(plan.clientPort, attack).finally(() => {
      isOver = true;
    });
    for (; !isOver; await put()) peak = Math.max(peak, process.memory().anonBytes);
    const ends = await attacked;
    expect(peak - before, name).toBeLessThan(growthMax);
    expect(of.first.isRunning, name).toBe(true);
    if (attack.code === "cut")
      expect(
        ends.map((end) => end.isOver),
        name,
      ).not.toContain(false);
    else if (attack.code !== undefined)
      expect(
        ends.map(({ code }) => code),
        name,
      ).toEqual(ends.map(() => attack.code));
  }
  const told = [...process.log().matchAll(/ended a WebSocket.*"reason":"(.*?)"/g)];
  expect(told.map(([, reason]) => reason)).toEqual([
    "Max payload size exceeded",
    "Too many message fragments",
    "Invalid WebSocket frame: RSV2 and RSV3 must be clear",
    "pings whose pongs are not read",
    "etcdserver: too many requests",
  ]);
}, 120_000);

test.each(["message", "object"])(
  "a half %s in each of many sockets: their sum is limited",
  async (what) => {
    cluster = await Cluster.start({ kind: "lockstep" });
    const { plan, process } = cluster.first;
    const half = Object.entries(socketAttacks).find(([name]) =>
      name.match(`half an? ${what}`),
    )?.[1];
    if (half === undefined) throw new Error("no such attack");
    const ends = await attackSockets(plan.clientPort, half);
    const left = ends.filter((end) => !end.isOver).length;
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThan(100);
    expect(process.log()).toMatch(/ended a WebSocket.*too many requests/);
    // Those that are gone count no more.
    const next = await attackSockets(plan.clientPort, { ...half, sockets: 20 });
    expect(next.map((end) => end.isOver)).not.toContain(true);
  },
  60_000,
);
