/** Clients that are gone without a word, or stop in the middle: their sockets do not stay. */
import { createConnection, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { nodeClock } from "../platform/node/clock.js";
import type { Method } from "./call.js";
import { preface } from "./http2/constants.js";
import { frame, headers, settingsFrame, uint32 } from "./http2/peer.fixture.js";
import { testListener } from "./listener.fixture.js";
import { type ServerOptions, startServer } from "./server.js";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

let cancels = 0;
const flood: Method = {
  path: "/t.T/Flood",
  kind: "bidi",
  handle: (call) => {
    const send = (): void => {
      while (call.send(Buffer.alloc(60_000))) {}
    };
    call.onCancel(() => cancels++);
    call.onDrain(send);
    send();
  },
};

async function open(more: Partial<ServerOptions>): Promise<number> {
  const server = startServer({
    listener: await testListener(),
    methods: [flood],
    http: () => {},
    maxReceiveBytes: 1_000,
    log: () => {},
    clock: nodeClock,
    ...more,
  });
  cleanups.push(() => server.close(0));
  return server.addresses[0]?.port ?? 0;
}

/** Sends the bytes; resolves when the server has closed. Reads only if told to. */
function closedAfter(port: number, isReading: boolean, ...sent: Buffer[]): Promise<void> {
  return new Promise((resolve) => {
    const socket: Socket = createConnection({ host: "127.0.0.1", port, allowHalfOpen: true });
    cleanups.push(() => socket.destroy());
    socket.on("error", () => {});
    socket.on("close", () => resolve());
    if (isReading) socket.resume();
    else socket.pause();
    socket.on("end", () => resolve());
    for (const bytes of sent) socket.write(bytes);
    // A paused socket hears of the end only when something cannot be sent any more.
    const poke = setInterval(() => socket.write(frame(0x42)), 200);
    if (isReading) clearInterval(poke);
    cleanups.push(() => clearInterval(poke));
  });
}

const hello = Buffer.concat([preface, settingsFrame([4, 0x7fff_ffff])]);
const wide = frame(8, { payload: uint32(0x7000_0000) });
const call = headers(
  1,
  [
    [":method", "POST"],
    [":scheme", "http"],
    [":path", "/t.T/Flood"],
    ["content-type", "application/grpc"],
  ],
  4,
);

test("a client that answers no ping is closed, and its streams are let go", async () => {
  const keepalive = { minTimeMs: 5_000, intervalMs: 100, timeoutMs: 100 };
  const port = await open({ keepalive });
  cancels = 0;
  await closedAfter(port, true, hello, call);
  expect(cancels).toBe(1);
}, 20_000);

test("a client that begins and does not go on is closed", async () => {
  const port = await open({ limits: { handshakeMs: 100 } });
  await closedAfter(port, true, preface);
  await closedAfter(port, true, hello, headers(1, [[":method", "POST"]], 0));
}, 20_000);

test("a client that reads nothing more is closed", async () => {
  const port = await open({ limits: { stallMs: 100 } });
  cancels = 0;
  await closedAfter(port, false, hello, wide, call);
  expect(cancels).toBe(1);
}, 20_000);
