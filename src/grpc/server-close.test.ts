/** What a server does when it is closed, and when a service throws. */
import { Agent, get } from "node:http";
import { createConnection, type Socket } from "node:net";
import * as grpc from "@grpc/grpc-js";
import { afterEach, expect, test } from "vitest";
import { Code, DamageError } from "../base/errors.js";
import { nodeClock } from "../platform/node/clock.js";
import type { Method, Server } from "./call.js";
import { CallCounters } from "./call-counters.js";
import { startServer } from "./server.js";

const asIs = (bytes: Buffer): Buffer => bytes;
const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

async function open(methods: readonly Method[], throwOn = "/nowhere") {
  const errors: unknown[] = [];
  const counters = new CallCounters();
  const server: Server = await startServer({
    listen: [{ host: "127.0.0.1", port: 0 }],
    methods,
    http: (request, response) => {
      if (request.url === throwOn) throw new DamageError({ finding: "row" });
      response.end("answered");
    },
    maxReceiveBytes: 1_000,
    onError: (error) => {
      errors.push(error);
      return { code: Code.internal, message: "internal error" };
    },
    log: () => {},
    counters,
    clock: nodeClock,
  });
  cleanups.push(() => server.close(0));
  const port = server.addresses[0]?.port ?? 0;
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  cleanups.push(() => client.close());
  return { server, port, client, errors, counters };
}

/** A connection that has sent these bytes. */
function connect(port: number, bytes: string): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: "127.0.0.1", port }, () => {
      socket.write(bytes, () => resolve(socket));
    });
    socket.on("error", () => {});
    cleanups.push(() => void socket.destroy());
  });
}

function ended(call: grpc.ClientDuplexStream<Buffer, Buffer>): Promise<[number, string]> {
  call.on("error", () => {});
  call.on("data", () => {});
  return new Promise((resolve) => {
    call.on("status", ({ code, details }) => resolve([code, details]));
  });
}

/** An answer that the server has seen all connections made before. */
async function answered(port: number): Promise<Socket> {
  const socket = await connect(port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await new Promise((resolve) => socket.once("data", resolve));
  return socket;
}

test("closing does not wait for connections that ask nothing", async () => {
  const { server, port } = await open([]);
  for (const start of ["", "PRI", "GET / HT"]) await connect(port, start);
  await answered(port);
  const startMs = performance.now();
  await server.close(60_000);
  expect(performance.now() - startMs).toBeLessThan(5_000);
});

test("every caller of close is told", async () => {
  const { server, port } = await open([]);
  await answered(port);
  await Promise.all([server.close(0), server.close(100), server.close(0)]);
  await server.close(0);
});

test("a client that asks again and again on one connection does not keep it open", async () => {
  const { server, port } = await open([]);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  cleanups.push(() => agent.destroy());
  let isAsking = true;
  let answers = 0;
  const first = new Promise<void>((resolve) => {
    const ask = (): void => {
      if (!isAsking) return;
      const request = get({ port, agent }, (response) => {
        answers++;
        resolve();
        response.resume().once("end", ask);
      });
      request.on("error", () => {});
    };
    ask();
  });
  await first;
  await server.close(60_000);
  isAsking = false;
  expect(answers).toBeGreaterThan(0);
});

test("open streams end as unavailable, and their services let go of what they hold", async () => {
  let released = 0;
  const hanging: Method = {
    path: "/t.T/Hang",
    kind: "bidi",
    handle: (call) => {
      call.onCancel(() => released++);
      call.onMessage((message) => call.send(message));
    },
  };
  const { server, client, counters } = await open([hanging]);
  const call = client.makeBidiStreamRequest("/t.T/Hang", asIs, asIs);
  const end = ended(call);
  const echoed = new Promise((resolve) => call.once("data", resolve));
  call.write(Buffer.from("abc"));
  await echoed;
  const startMs = performance.now();
  await server.close(60_000);
  expect(performance.now() - startMs).toBeLessThan(5_000);
  expect(await end).toEqual([14, "etcdserver: server stopped"]);
  expect(released).toBe(1);
  expect(counters.of(hanging)).toMatchObject({ receivedBytes: 3, sentBytes: 3 });
  expect(counters.of(hanging).handled[14]).toBe(1);
});

test("what a service throws costs its call and is told; the server goes on", async () => {
  const methods: Method[] = [
    {
      path: "/t.T/Ask",
      kind: "unary",
      handle: () => {
        throw new DamageError({ finding: "unary" });
      },
    },
    {
      path: "/t.T/Talk",
      kind: "bidi",
      handle: (call) => {
        call.onMessage(() => {
          throw new DamageError({ finding: "message" });
        });
      },
    },
    {
      path: "/t.T/Open",
      kind: "bidi",
      handle: () => {
        throw new DamageError({ finding: "open" });
      },
    },
  ];
  const { port, client, errors } = await open(methods, "/throw");
  const unary = await new Promise<[number | undefined, string | undefined]>((resolve) => {
    client.makeUnaryRequest("/t.T/Ask", asIs, asIs, Buffer.alloc(0), (error) =>
      resolve([error?.code, error?.details]),
    );
  });
  expect(unary).toEqual([13, "internal error"]);
  for (const path of ["/t.T/Talk", "/t.T/Open"]) {
    const call = client.makeBidiStreamRequest(path, asIs, asIs);
    const end = ended(call);
    call.write(Buffer.from("x"));
    expect(await end).toEqual([13, "internal error"]);
  }
  const socket = await connect(port, "GET /throw HTTP/1.1\r\nHost: a\r\n\r\n");
  const text = await new Promise<Buffer>((resolve) => socket.once("data", resolve));
  expect(text.toString()).toMatch(/^HTTP\/1.1 500 /);
  expect(errors.map((error) => (error as Error).message)).toEqual([
    "unary",
    "message",
    "open",
    "row",
  ]);
  await answered(port);
});
