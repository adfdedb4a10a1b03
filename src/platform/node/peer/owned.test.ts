/** A throw in a callback of a member's port: which connection it ends, and what goes on. */
import { once } from "node:events";
import net from "node:net";
import { expect, test } from "vitest";
import { listenForPeers } from "./network.js";
import { owned, ownedSocket } from "./owned.js";

test("a throw in a listener ends its connection and is told; other connections go on", async () => {
  const told: string[] = [];
  const server = net.createServer((accepted) => {
    const socket = ownedSocket(accepted, (error) => told.push(error.message));
    socket.on("data", (bytes) => {
      if (bytes[0] === 1) throw new TypeError("a bug in a listener");
      socket.end(bytes);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  const dial = (byte: number): net.Socket =>
    net
      .connect(port, "127.0.0.1")
      .on("error", () => {})
      .end(Buffer.of(byte));
  await once(dial(1), "close");
  const [echo] = await once(dial(2), "data");
  expect(echo).toEqual(Buffer.of(2));
  expect(told).toEqual(["a bug in a listener"]);
  server.close();
});

test("a throw in a timer's callback is told", () => {
  const told: string[] = [];
  const tick = owned(
    () => {
      throw new RangeError("a bug in a timer");
    },
    (error) => told.push(error.message),
  );
  expect(tick).not.toThrow();
  expect(told).toEqual(["a bug in a timer"]);
});

test("a page that throws closes its connection, and leaves a line", async () => {
  const told: unknown[] = [];
  const listen = [{ host: "127.0.0.1", port: 0, isTls: false }];
  const log = (level: string, message: string): void => void told.push([level, message]);
  const listener = await listenForPeers({ listen, credentials: undefined, now: () => 0, log });
  const page = (): never => {
    throw new TypeError("a bug in a page");
  };
  const network = listener.connect({ page, rejected: () => {} } as never);
  const { port = 0 } = listener.addresses()[0] ?? {};
  await expect(fetch(`http://127.0.0.1:${port}/members`)).rejects.toThrow();
  expect(told).toEqual([["error", "a callback of the peer port failed"]]);
  network.close();
});
