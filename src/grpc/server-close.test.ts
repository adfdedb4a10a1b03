/** What a server does when it is closed, and when a service throws. */
import { EventEmitter, once } from "node:events";
import { Agent, get } from "node:http";
import { createConnection, type Socket } from "node:net";
import * as grpc from "@grpc/grpc-js";
import { afterEach, expect, test } from "vitest";
import { Code, DamageError } from "../base/errors.js";
import { nodeClock } from "../platform/node/clock.js";
import type { Method, Server } from "./call.js";
import { CallCounters } from "./call-counters.js";
import { testListener } from "./listener.fixture.js";
import { startServer } from "./server.js";

const asIs = (bytes: Buffer): Buffer => bytes;
const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

async function open(methods: readonly Method[], throwOn = "/nowhere", clock = nodeClock) {
  const errors: unknown[] = [];
  const told = new EventEmitter();
  const counters = new CallCounters();
  const server: Server = startServer({
    listener: await testListener(),
    methods,
    http: (request, response) => {
      if (request.url === "/silent") {
        told.emit("silent");
        return;
      }
      if (request.url === throwOn) throw new DamageError({ finding: "row" });
      response.end("answered");
    },
    maxReceiveBytes: 1_000,
    onError: (error) => {
      errors.push(error);
      told.emit("failed");
      return { code: Code.internal, message: "internal error" };
    },
    log: () => {},
    counters,
    clock,
  });
  cleanups.push(() => server.close(0));
  const port = server.addresses[0]?.port ?? 0;
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  cleanups.push(() => client.close());
  return { server, port, client, errors, counters, told };
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

/** A unary method that never answers. */
function silent() {
  let begun: () => void = () => {};
  const told = { cancels: 0, begun: new Promise<void>((resolve) => (begun = resolve)) };
  const method: Method = {
    path: "/t.T/Wait",
    kind: "unary",
    handle: (_request, call) => {
      call.onCancel(() => told.cancels++);
      begun();
    },
  };
  return { method, told };
}

function ask(client: grpc.Client, path: string): Promise<[number, string]> {
  return new Promise((resolve) => {
    client.makeUnaryRequest(path, asIs, asIs, Buffer.from("x"), (error) =>
      resolve([error?.code ?? 0, error?.details ?? ""]),
    );
  });
}

test("calls that nobody will answer end as unavailable, and the connection serves on", async () => {
  const { method, told } = silent();
  const echo: Method = {
    path: "/t.T/Echo",
    kind: "unary",
    handle: (request, call) => call.respond(request),
  };
  const { server, client } = await open([method, echo]);
  const answer = ask(client, "/t.T/Wait");
  await told.begun;
  server.cut();
  expect(await answer).toEqual([14, "etcdserver: server stopped"]);
  expect(told.cancels).toBe(1);
  expect(await ask(client, "/t.T/Echo")).toEqual([0, ""]);
});

test.each([0, 50])(
  "a call that outlasts a grace of %i ms ends as unavailable, never as cancelled",
  async (graceMs) => {
    const { method, told } = silent();
    const { server, client } = await open([method]);
    const answer = ask(client, "/t.T/Wait");
    await told.begun;
    await server.close(graceMs);
    expect((await answer)[0]).toBe(14);
    expect(told.cancels).toBe(1);
  },
);

test("an HTTP/1 request that is not answered is cut off after the grace", async () => {
  const { server, port, told } = await open([]);
  const arrived = once(told, "silent");
  await connect(port, "GET /silent HTTP/1.1\r\nHost: a\r\n\r\n");
  await arrived;
  await server.close(50);
});

test("a fault of the transport is told and costs a connection, not the process", async () => {
  let isBroken = false;
  const clock = {
    ...nodeClock,
    now: () => {
      if (!isBroken) return nodeClock.now();
      isBroken = false;
      throw new TypeError("a bug in the transport");
    },
  };
  const echo: Method = {
    path: "/t.T/Echo",
    kind: "unary",
    handle: (request, call) => call.respond(request),
  };
  const { client, errors, told } = await open([echo], "/nowhere", clock);
  expect(await ask(client, "/t.T/Echo")).toEqual([0, ""]);
  isBroken = true;
  // What comes on a connection, or the timer of all connections, comes upon it.
  const [code] = await ask(client, "/t.T/Echo");
  expect([0, 14]).toContain(code);
  expect(errors).toEqual([new TypeError("a bug in the transport")]);
  // A timer has no call that would end.
  const failed = once(told, "failed");
  isBroken = true;
  await failed;
  expect(await ask(client, "/t.T/Echo")).toEqual([0, ""]);
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
