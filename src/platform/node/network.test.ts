/** Members that lose each other: what they are told, and what goes on. */
import { afterEach, expect, test } from "vitest";
import type { NetworkHandler } from "../network.js";
import { listenForPeers, type PeerListener } from "./network.js";

const idA = 1n;
const idB = 2n;
const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

function handlerOf(id: bigint, more: Partial<NetworkHandler>): NetworkHandler {
  return {
    clusterId: () => 7n,
    memberId: () => id,
    incarnation: () => id,
    greeted: () => true,
    refusedIncarnation: () => {},
    received: () => {},
    unreachable: () => {},
    clusterInfo: () => undefined,
    removedFromCluster: () => {},
    page: () => {},
    isRemoved: () => false,
    ...more,
  };
}

/** A promise, and what fulfils it. */
function event(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((fulfil) => {
    resolve = fulfil;
  });
  return { promise, resolve };
}

function listen(): Promise<PeerListener> {
  const now = (): number => 0;
  return listenForPeers({ listen: [{ host: "127.0.0.1", port: 0 }], now, log: () => {} });
}

test("a member that is connected when it is removed hears of it", async () => {
  const [a, b] = [await listen(), await listen()];
  const removed = new Set<bigint>();
  const hears = event();
  const arrives = event();
  const ofA = a.connect(
    handlerOf(idA, { isRemoved: (id) => removed.has(id), received: () => arrives.resolve() }),
  );
  let unreachable = 0;
  const ofB = b.connect(
    handlerOf(idB, {
      removedFromCluster: () => hears.resolve(),
      unreachable: () => unreachable++,
    }),
  );
  ends.push(
    () => ofA.close(),
    () => ofB.close(),
  );
  ofB.setPeer(idA, [`http://127.0.0.1:${a.addresses()[0]?.port}`]);
  ofA.setPeer(idB, [`http://127.0.0.1:${b.addresses()[0]?.port}`]);
  const sending = setInterval(() => ofB.send(idA, Uint8Array.of(1)), 10);
  ends.push(() => clearInterval(sending));
  await arrives.promise;
  removed.add(idB);
  ofA.removePeer(idB);
  await hears.promise;
  expect(unreachable).toBeGreaterThan(0);
});

test("a member that is known with another log is refused before anything of it is delivered", async () => {
  const [a, b] = [await listen(), await listen()];
  const hears = event();
  const greetings: [bigint, bigint][] = [];
  const received: bigint[] = [];
  const ofA = a.connect(
    handlerOf(idA, {
      greeted: (from, incarnation) => {
        greetings.push([from, incarnation]);
        return false;
      },
      received: (from) => received.push(from),
    }),
  );
  const incarnation = 0xfedc_ba98_7654_3210n;
  const ofB = b.connect(
    handlerOf(idB, { incarnation: () => incarnation, refusedIncarnation: () => hears.resolve() }),
  );
  ends.push(
    () => ofA.close(),
    () => ofB.close(),
  );
  ofB.setPeer(idA, [`http://127.0.0.1:${a.addresses()[0]?.port}`]);
  await hears.promise;
  expect(ofB.send(idA, Uint8Array.of(1))).toBeFalsy();
  expect(greetings[0]).toEqual([idB, incarnation]);
  expect(received).toEqual([]);
});
