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
    peerUrls: () => undefined,
    locate: (_id, done) => done(undefined),
    located: () => {},
    messageBytesMax: () => 1024,
    rejected: () => {},
    linkChanged: () => {},
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
  const urlOf = (listener: PeerListener): string =>
    `http://127.0.0.1:${listener.addresses()[0]?.port}`;
  const peerUrls = (id: bigint): string[] => [urlOf(id === idA ? a : b)];
  const isRemoved = (id: bigint): boolean => removed.has(id);
  const ofA = a.connect(handlerOf(idA, { peerUrls, isRemoved, received: () => arrives.resolve() }));
  let unreachable = 0;
  const ofB = b.connect(
    handlerOf(idB, {
      peerUrls,
      removedFromCluster: () => hears.resolve(),
      unreachable: () => unreachable++,
    }),
  );
  ends.push(
    () => ofA.close(),
    () => ofB.close(),
  );
  ofB.setPeer(idA, [urlOf(a)]);
  ofA.setPeer(idB, [urlOf(b)]);
  const sending = setInterval(() => ofB.send(idA, Uint8Array.of(1)), 10);
  ends.push(() => clearInterval(sending));
  await arrives.promise;
  removed.add(idB);
  ofA.removePeer(idB);
  await hears.promise;
  expect(unreachable).toBeGreaterThan(0);
});
