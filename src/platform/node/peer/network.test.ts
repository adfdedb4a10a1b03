/**
 * Members that lose each other, and strangers: what the network tells each of them, and what
 * continues to work.
 */
import net from "node:net";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { Network, NetworkHandler, Rejection } from "../../network.js";
import {
  challengeMagic,
  emptyFrame,
  encodeGreeting,
  frameHeader,
  HelloStatus,
  helloMagic,
  PeerFrameReader,
} from "./framing.js";
import { listenForPeers, type PeerListener } from "./network.js";
import { PeerSource } from "./source.js";

const idA = 1n;
const idB = 2n;
const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0).reverse()) end();
  vi.useRealTimers();
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

/** A promise, and the function that fulfils it. */
function event<T = void>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve = (_value: T): void => {};
  const promise = new Promise<T>((fulfil) => {
    resolve = fulfil;
  });
  return { promise, resolve };
}

async function listen(): Promise<PeerListener> {
  const now = (): number => 0;
  const listen = [{ host: "127.0.0.1", port: 0, isTls: false }];
  const listener = await listenForPeers({ listen, credentials: undefined, now, log: () => {} });
  ends.push(() => listener.close());
  return listener;
}

const portOf = (listener: PeerListener): number => listener.addresses()[0]?.port ?? 0;
const urlOf = (port: number): string => `http://127.0.0.1:${port}`;

function connect(listener: PeerListener, handler: NetworkHandler): Network {
  const network = listener.connect(handler);
  ends.push(() => network.close());
  return network;
}

/** Sends until the test ends. */
function sendAlways(network: Network, to: bigint): void {
  const sending = setInterval(() => network.send(to, Uint8Array.of(1)), 10);
  ends.push(() => clearInterval(sending));
}

/** Members A and B. Collects what A refuses, and each message of B. */
async function twoMembers(ofA: Partial<NetworkHandler> = {}, ofB: Partial<NetworkHandler> = {}) {
  const [a, b] = [await listen(), await listen()];
  const refused: Rejection[] = [];
  const peerUrls = (id: bigint): string[] => [urlOf(portOf(id === idA ? a : b))];
  const networkA = connect(
    a,
    handlerOf(idA, { peerUrls, rejected: (rejection) => refused.push(rejection), ...ofA }),
  );
  const networkB = connect(b, handlerOf(idB, { peerUrls, ...ofB }));
  return { a, b, networkA, networkB, refused };
}

/** What a port answers to these bytes until it closes the connection. */
function answerTo(port: number, pieces: readonly Buffer[]): Promise<Buffer> {
  const answer: Buffer[] = [];
  const { promise, resolve } = event<Buffer>();
  const socket = net.connect(port, "127.0.0.1", () => {
    for (const piece of pieces) socket.write(piece);
  });
  socket.on("data", (chunk) => answer.push(chunk));
  socket.on("error", () => undefined);
  socket.on("close", () => resolve(Buffer.concat(answer)));
  return promise;
}

const token = Buffer.alloc(16, 9);
const nothing = Buffer.alloc(0);
const helloOf = (from: bigint, to = idA, clusterId = 7n): Buffer =>
  encodeGreeting(helloMagic, { clusterId, from, to, token, nonce: nothing, incarnation: 0n });

test("a member that is connected when it is removed hears of it", async () => {
  const removed = new Set<bigint>();
  const [hears, arrives] = [event(), event()];
  let unreachable = 0;
  const { a, networkA, networkB, b } = await twoMembers(
    { isRemoved: (id) => removed.has(id), received: () => arrives.resolve() },
    { removedFromCluster: () => hears.resolve(), unreachable: () => unreachable++ },
  );
  networkB.setPeer(idA, [urlOf(portOf(a))]);
  networkA.setPeer(idB, [urlOf(portOf(b))]);
  sendAlways(networkB, idA);
  await arrives.promise;
  removed.add(idB);
  networkA.removePeer(idB);
  await hears.promise;
  expect(unreachable).toBeGreaterThan(0);
});

test("a member that is known with another log is refused before anything of it is delivered", async () => {
  const hears = event();
  const greetings: [bigint, bigint][] = [];
  const received: bigint[] = [];
  const incarnation = 0xfedc_ba98_7654_3210n;
  const { a, networkB, refused } = await twoMembers(
    {
      greeted: (from, told) => {
        greetings.push([from, told]);
        return false;
      },
      received: (from) => received.push(from),
    },
    { incarnation: () => incarnation, refusedIncarnation: () => hears.resolve() },
  );
  networkB.setPeer(idA, [urlOf(portOf(a))]);
  await hears.promise;
  expect(networkB.send(idA, Uint8Array.of(1))).toBeFalsy();
  expect(greetings[0]).toEqual([idB, incarnation]);
  expect(received).toEqual([]);
  expect(refused[0]).toMatchObject({ reason: "lost_data", from: idB });
});

describe("a stranger", () => {
  test("is not heard in the name of a member that is connected", async () => {
    const heard: bigint[] = [];
    const arrives = event();
    const { a, networkB, refused } = await twoMembers({
      received: (from) => {
        heard.push(from);
        if (heard.length > 20) arrives.resolve();
      },
    });
    const frame = Buffer.concat([frameHeader(Buffer.of(1, 66)), Buffer.of(1, 66)]);
    const lies = Array.from({ length: 10 }, () => answerTo(portOf(a), [helloOf(idB), frame]));
    networkB.setPeer(idA, [urlOf(portOf(a))]);
    sendAlways(networkB, idA);
    for (const answer of await Promise.all(lies))
      expect([...answer]).toEqual([HelloStatus.unproven]);
    await arrives.promise;
    expect(refused.map(({ reason }) => reason)).toEqual(Array(10).fill("unproven_member"));
  });

  test("gets the reason that can be told, and nothing from a challenge", async () => {
    const { a, refused } = await twoMembers({ isRemoved: (id) => id === 5n });
    const answers = [
      await answerTo(portOf(a), [helloOf(idB, idA, 8n)]),
      await answerTo(portOf(a), [helloOf(idB, 3n)]),
      await answerTo(portOf(a), [helloOf(idA)]),
      await answerTo(portOf(a), [helloOf(5n)]),
    ];
    const { wrongCluster, wrongMember, removed } = HelloStatus;
    expect(answers.map((answer) => answer[0])).toEqual([
      wrongCluster,
      wrongMember,
      wrongMember,
      removed,
    ]);
    expect(refused.map(({ reason }) => reason)).toEqual([
      "other_cluster",
      "other_member",
      "other_member",
      "removed_member",
    ]);
    const greeting = { clusterId: 7n, from: idB, to: idA, token, nonce: token, incarnation: 0n };
    const challenge = encodeGreeting(challengeMagic, greeting);
    expect([...(await answerTo(portOf(a), [challenge]))]).toEqual([1]);
  });

  test("cannot fill the port: the oldest connections go", async () => {
    const { a, networkB, refused } = await twoMembers();
    const idle = Array.from({ length: 200 }, () => answerTo(portOf(a), []));
    await idle[0];
    networkB.setPeer(idA, [urlOf(portOf(a))]);
    await vi.waitUntil(() => networkB.activeSince(idA) !== undefined, 5_000);
    expect(refused.every(({ reason }) => reason === "too_many_connections")).toBe(true);
    await Promise.all(idle);
  }, 20_000);
});

test("a member that is not ready yet answers so, and nothing is told", async () => {
  const { a, refused } = await twoMembers({ clusterId: () => 0n });
  expect([...(await answerTo(portOf(a), [helloOf(idB)]))]).toEqual([HelloStatus.notReady]);
  expect(refused).toEqual([]);
});

test.each([
  ["nobody that is known here", undefined],
  ["known at another address", ["http://127.0.0.1:1"]],
])("a member that is %s is asked where others say that it is", async (_name, known) => {
  const [arrives, located] = [event(), event<readonly string[]>()];
  const asked: bigint[] = [];
  const b = await listen();
  const { a } = await twoMembers({
    peerUrls: () => known,
    locate: (id, done) => {
      asked.push(id);
      setImmediate(() => done([urlOf(portOf(b))]));
    },
    located: (_id, urls) => located.resolve(urls),
    received: () => arrives.resolve(),
  });
  const networkB = connect(b, handlerOf(3n, {}));
  networkB.setPeer(idA, [urlOf(portOf(a))]);
  sendAlways(networkB, idA);
  await arrives.promise;
  expect(await located.promise).toEqual([urlOf(portOf(b))]);
  expect(asked).toEqual([3n]);
});

test("a peer that dials anew takes the place of its old connection", async () => {
  let received = 0;
  const { a, networkB } = await twoMembers({ received: () => received++ });
  networkB.setPeer(idA, [urlOf(portOf(a))]);
  await vi.waitUntil(() => networkB.activeSince(idA) !== undefined);
  networkB.setPeer(idA, [urlOf(portOf(a))]);
  await vi.waitUntil(() => networkB.activeSince(idA) !== undefined);
  sendAlways(networkB, idA);
  await vi.waitUntil(() => received > 5);
});

test("a black hole is noticed, and a way that works again is used at once", async () => {
  let received = 0;
  const lost = event<number>();
  const { a, networkB } = await twoMembers(
    { received: () => received++ },
    { linkChanged: (_id, isUp) => isUp || lost.resolve(performance.now()) },
  );
  // A relay that passes everything on, or that passes nothing without closing a connection.
  const pairs: net.Socket[] = [];
  let isHole = false;
  const proxy = net.createServer((incoming) => {
    const outgoing = net.connect(portOf(a), "127.0.0.1");
    for (const [from, to] of [
      [incoming, outgoing],
      [outgoing, incoming],
    ] as const) {
      pairs.push(from);
      from.on("data", (chunk) => isHole || to.write(chunk));
      from.on("error", () => from.destroy());
      from.on("close", () => isHole || to.destroy());
    }
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  ends.push(() => {
    proxy.close();
    for (const socket of pairs) socket.destroy();
  });
  networkB.setPeer(idA, [urlOf((proxy.address() as net.AddressInfo).port)]);
  sendAlways(networkB, idA);
  await vi.waitUntil(() => received > 5, 5_000);
  isHole = true;
  await lost.promise;
  isHole = false;
  const before = received;
  await vi.waitUntil(() => received > before, 10_000);
}, 30_000);

describe("the connection of a member", () => {
  /** A source at one end of a connection, and the other end. */
  async function source(more: Partial<NetworkHandler>) {
    const accepted = event<net.Socket>();
    const server = net.createServer((socket) => accepted.resolve(socket));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const other = net.connect((server.address() as net.AddressInfo).port, "127.0.0.1");
    const socket = await accepted.promise;
    ends.push(() => {
      other.destroy();
      socket.destroy();
      server.close();
    });
    const refused: Rejection[] = [];
    const rejected = (rejection: Rejection): void => {
      refused.push(rejection);
    };
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    new PeerSource(socket, idB, handlerOf(idA, { rejected, ...more }), () => {});
    return { other, socket, refused };
  }

  test("is closed when a message does not come to its end", async () => {
    const { other, socket, refused } = await source({ messageBytesMax: () => 64 << 20 });
    const head = Buffer.alloc(9);
    head.writeUInt32LE(60 << 20);
    other.write(head);
    await vi.waitUntil(() => socket.bytesRead === head.length);
    // The frame continues, but far too slowly.
    for (let second = 0; second < 80 && refused.length === 0; second++) {
      other.write(Buffer.of(second));
      await vi.waitUntil(() => socket.bytesRead === head.length + second + 1);
      vi.advanceTimersByTime(1_000);
    }
    expect(refused.map(({ reason }) => reason)).toEqual(["frame_stalled"]);
    expect(socket.destroyed).toBe(true);
  });

  test("is closed when a message is larger than its kind allows", async () => {
    const { other, socket, refused } = await source({ messageBytesMax: (kind) => 100 * kind });
    const message = Buffer.alloc(150, 2);
    other.write(Buffer.concat([frameHeader(message), message]));
    await vi.waitUntil(() => socket.bytesRead > 150);
    expect(refused).toEqual([]);
    message[0] = 1;
    other.write(Buffer.concat([frameHeader(message), message]));
    await vi.waitUntil(() => socket.destroyed);
    expect(refused.map(({ reason }) => reason)).toEqual(["frame_too_large"]);
  });

  test("answers an empty frame, and ends when nothing comes any more", async () => {
    const { other, socket } = await source({});
    const answered = event<Buffer>();
    other.on("data", (chunk) => answered.resolve(chunk));
    other.write(emptyFrame);
    expect(await answered.promise).toEqual(emptyFrame);
    vi.advanceTimersByTime(9_000);
    expect(socket.destroyed).toBe(false);
    vi.advanceTimersByTime(2_000);
    expect(socket.destroyed).toBe(true);
  });
});

test("frames are cut anywhere, and a damaged one is told", () => {
  const messages = [nothing, Buffer.of(1, 2, 3), Buffer.alloc(3_000, 1), nothing];
  const stream = Buffer.concat(messages.flatMap((message) => [frameHeader(message), message]));
  for (const step of [1, 7, 8, 9, 1_000, stream.length]) {
    const reader = new PeerFrameReader(() => 4_000);
    const got: Buffer[] = [];
    for (let at = 0; at < stream.length; at += step) {
      const flaw = reader.push(stream.subarray(at, at + step), (message) => got.push(message));
      expect(flaw).toBeUndefined();
    }
    expect(got).toEqual(messages);
    expect(reader.pending()).toBe(0);
  }
  const damaged = Buffer.from(stream);
  damaged[17] = 99;
  expect(new PeerFrameReader(() => 4_000).push(damaged, () => {})).toBe("frame_damaged");
});
