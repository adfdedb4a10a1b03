/** Many clients that read nothing hold together what the server allows, and a client that reads goes on. */
import { createConnection } from "node:net";
import { afterEach, expect, test } from "vitest";
import { nodeClock } from "../platform/node/clock.js";
import type { Method } from "./call.js";
import { preface } from "./http2/constants.js";
import { data, frame, headers, settingsFrame, uint32 } from "./http2/peer.fixture.js";
import { testListener } from "./listener.fixture.js";
import { startServer } from "./server.js";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

const mebibyte = 1 << 20;
const wide = Buffer.concat([
  preface,
  settingsFrame([4, 0x7fff_ffff]),
  frame(8, { payload: uint32(0x7000_0000) }),
]);
const ask = (stream: number): Buffer =>
  Buffer.concat([
    headers(
      stream,
      [
        [":method", "POST"],
        [":scheme", "http"],
        [":path", "/t.T/Ask"],
        ["content-type", "application/grpc"],
      ],
      4,
    ),
    data(stream, Buffer.alloc(5), true),
  ]);

test("their calls wait, its calls do not", async () => {
  let answers = 0;
  let told: () => void = () => {};
  const method: Method = {
    path: "/t.T/Ask",
    kind: "unary",
    handle: (_request, call) => {
      answers++;
      told();
      call.respond(Buffer.alloc(mebibyte));
    },
  };
  const server = startServer({
    listener: await testListener(),
    methods: [method],
    http: () => {},
    maxReceiveBytes: 1_000,
    log: () => {},
    clock: nodeClock,
    limits: { allWaitingBytesHigh: 40 * mebibyte },
  });
  cleanups.push(() => server.close(0));
  const port = server.addresses[0]?.port ?? 0;
  const open = (isReading: boolean, ...sent: Buffer[]): Promise<void> =>
    new Promise((resolve) => {
      const socket = createConnection({ host: "127.0.0.1", port });
      cleanups.push(() => socket.destroy());
      socket.on("error", () => {});
      let bytes = 0;
      if (isReading) {
        socket.on("data", (part) => {
          bytes += part.length;
          if (bytes > sent.length * mebibyte) resolve();
        });
      }
      for (const part of [wide, ...sent]) socket.write(part);
      if (!isReading) socket.pause();
      if (!isReading) told = resolve;
    });
  const calls = Array.from({ length: 100 }, (_, at) => ask(2 * at + 1));
  for (let client = 0; client < 20; client++) await open(false, ...calls);
  // Longer than a turn, so that all that may start has started.
  const before = answers;
  await open(true, ...calls.slice(0, 30));
  expect(answers).toBeGreaterThanOrEqual(before + 30);
  // Without the common bound it would be 16 and more for each client.
  expect(answers - 30).toBeLessThan(20 * 12);
}, 30_000);
