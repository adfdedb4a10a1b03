import { connect } from "node:http2";
import { createConnection, type Socket } from "node:net";
import * as grpc from "@grpc/grpc-js";
import { afterEach, expect, test } from "vitest";
import { nodeClock } from "../platform/node/clock.js";
import type { Method, Server, StreamCall } from "./call.js";
import { CallCounters } from "./call-counters.js";
import { testListener } from "./listener.fixture.js";
import { startServer } from "./server.js";

type Client = grpc.Client;
interface Outcome {
  readonly code: number;
  readonly text: string;
  readonly answer?: Buffer;
}

const asIs = (bytes: Buffer): Buffer => bytes;
const closing: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const echo: Method = {
  path: "/t.Echo/Say",
  kind: "unary",
  handle: (request, call) => {
    if (request.length === 0) call.fail({ code: 9, message: "etcdserver: Überlast, 100%" });
    else if (request[0] === 0x3f) call.respond(Buffer.from(`${call.metadata("hasleader")}`));
    else if (request[0] === 0x21) call.respond(Buffer.from(`${call.timeoutMs}`));
    else call.respond(request);
    call.respond(Buffer.from("ignored"));
    call.fail({ code: 13, message: "ignored" });
  },
};

async function open(more: readonly Method[] = []) {
  const counters = new CallCounters();
  const server: Server = startServer({
    listener: await testListener(2),
    methods: [echo, ...more],
    http: (request, response) => response.end(`${request.method} ${request.url}`),
    maxReceiveBytes: 100_000,
    log: () => {},
    counters,
    clock: nodeClock,
  });
  closing.push(() => server.close(0));
  const [{ port } = { port: 0 }, second] = server.addresses;
  const client: Client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  closing.push(() => client.close());
  return { server, port, second, client, counters };
}

interface CallOptions {
  readonly deadline?: number;
  readonly hasLeader?: boolean;
}

function ask(client: Client, path: string, request: string | Buffer, options: CallOptions = {}) {
  const metadata = new grpc.Metadata();
  if (options.hasLeader) metadata.set("hasleader", "true");
  return new Promise<Outcome>((resolve) => {
    client.makeUnaryRequest(
      path,
      asIs,
      asIs,
      Buffer.from(request as string),
      metadata,
      options.deadline === undefined ? {} : { deadline: options.deadline },
      (error, answer) => {
        if (error !== null) resolve({ code: error.code, text: error.details });
        else resolve({ code: 0, text: "", answer: answer as Buffer });
      },
    );
  });
}

/** Sends the bytes, then gives all that comes until the server closes (or `until` is seen). */
function talk(port: number, bytes: Buffer | string, until?: string): Promise<string> {
  const socket: Socket = createConnection({ host: "127.0.0.1", port }, () => socket.write(bytes));
  closing.push(() => void socket.destroy());
  let got = "";
  return new Promise((resolve) => {
    socket.on("data", (data) => {
      got += data.toString("latin1");
      if (until !== undefined && got.includes(until)) resolve(got);
    });
    socket.on("error", () => resolve(got));
    socket.on("close", () => resolve(got));
  });
}

test("unary calls: answer, status, metadata, deadline; the first end counts", async () => {
  const { client, counters } = await open();
  expect(await ask(client, "/t.Echo/Say", "hello")).toMatchObject({ answer: Buffer.from("hello") });
  expect(await ask(client, "/t.Echo/Say", "?", { hasLeader: true })).toMatchObject({
    answer: Buffer.from("true"),
  });
  const failed = await ask(client, "/t.Echo/Say", "");
  expect(failed).toMatchObject({ code: 9, text: "etcdserver: Überlast, 100%" });
  const timed = await ask(client, "/t.Echo/Say", "!", { deadline: Date.now() + 60_000 });
  expect(Number(timed.answer?.toString())).toBeGreaterThan(30_000);
  expect(Number(timed.answer?.toString())).toBeLessThanOrEqual(60_000);
  expect((await ask(client, "/t.Echo/Say", "!")).answer?.toString()).toBe("undefined");
  expect(counters.of(echo)).toMatchObject({ started: 5, received: 5, sent: 4 });
  expect(counters.of(echo).handled[9]).toBe(1);
  expect(counters.of(echo).handled[0]).toBe(4);
});

test("an unknown service or method is unimplemented, in grpc-go's words", async () => {
  const { client } = await open();
  expect(await ask(client, "/t.Echo/Shout", "x")).toEqual({
    code: 12,
    text: "unknown method Shout for service t.Echo",
  });
  expect(await ask(client, "/v3lockpb.Lock/Lock", "x")).toEqual({
    code: 12,
    text: "unknown service v3lockpb.Lock",
  });
});

test("an oversized message is refused, and the connection lives on", async () => {
  const { client } = await open();
  const refused = await ask(client, "/t.Echo/Say", Buffer.alloc(100_001, 1));
  expect(refused).toMatchObject({ code: 8 });
  expect(refused.text).toMatch(/larger than max \(100001 vs\.? 100000\)/);
  const whole = Buffer.alloc(100_000, 1);
  expect((await ask(client, "/t.Echo/Say", whole)).answer?.equals(whole)).toBe(true);
});

test("HTTP/1 and gRPC on one port, on each of the addresses", async () => {
  const { port, second, client } = await open();
  const request = "GET /health?x=1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
  expect(await talk(port, request)).toContain("GET /health?x=1");
  expect(await talk(second?.port ?? 0, request)).toContain("GET /health?x=1");
  expect((await ask(client, "/t.Echo/Say", "a")).code).toBe(0);
});

test("garbage, half frames and silence harm nobody else", async () => {
  const { port, client } = await open();
  expect(await talk(port, Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00]))).toBe("");
  // What is neither a preface nor a request of HTTP/1 gets no answer that could be taken for frames.
  expect(await talk(port, "GARBAGE\r\n\r\n")).toBe("");
  expect(await talk(port, "NO CONNECTION PREFACE\r\n\r\n")).toBe("");
  expect(await talk(port, "GET / HTTP/x\r\n\r\n")).toContain("400 Bad Request");
  expect(await talk(port, "PRI * HTTP/1.1\r\n\r\n")).toBe("");
  const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  // The server's SETTINGS, then its GOAWAY or the end.
  await talk(port, Buffer.concat([Buffer.from(preface), Buffer.alloc(300, 0xff)]));
  await talk(port, Buffer.from("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"));
  // Left hanging in the middle: of the sniffed bytes, of a frame, of a request line.
  for (const start of ["PRI", `${preface}\0\0\x10\x04`, "GE", "GET /vers"]) {
    const socket = createConnection({ host: "127.0.0.1", port }, () =>
      socket.write(start, "latin1"),
    );
    socket.on("error", () => {});
    closing.push(() => void socket.destroy());
  }
  expect((await ask(client, "/t.Echo/Say", "still")).answer?.toString()).toBe("still");
});

test("the first bytes may come one by one", async () => {
  const { port } = await open();
  const socket = createConnection({ host: "127.0.0.1", port });
  socket.setNoDelay(true);
  closing.push(() => void socket.destroy());
  const answered = new Promise<Buffer>((resolve) => socket.once("data", resolve));
  const start = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", "latin1");
  for (const byte of start) await new Promise((sent) => socket.write(Uint8Array.of(byte), sent));
  // A SETTINGS frame, which only HTTP/2 servers begin with.
  expect((await answered)[3]).toBe(4);
});

test("a client that closes its side before it has said anything is let go", async () => {
  const { server, port } = await open();
  const socket = createConnection({ host: "127.0.0.1", port, allowHalfOpen: true });
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.on("error", () => {});
  socket.end();
  await closed;
  await server.close(0);
});

test("bidi: order, half close, end, and the reason of a failure after messages", async () => {
  const upper: Method = {
    path: "/t.Echo/Talk",
    kind: "bidi",
    handle: (call) => {
      call.onMessage((message) => {
        if (message[0] === 0x21) call.fail({ code: 11, message: "etcdserver: over" });
        else call.send(Buffer.from(Buffer.from(message).toString().toUpperCase()));
      });
      call.onHalfClose(() => call.end());
    },
  };
  const { client, counters } = await open([upper]);
  const run = (words: readonly string[]) =>
    new Promise<{ got: string[]; code: number; text: string }>((resolve) => {
      const got: string[] = [];
      const call = client.makeBidiStreamRequest("/t.Echo/Talk", asIs, asIs);
      call.on("data", (data: Buffer) => got.push(data.toString()));
      call.on("error", () => {});
      call.on("status", ({ code, details }) => resolve({ got, code, text: details }));
      for (const word of words) call.write(Buffer.from(word));
      call.end();
    });
  expect(await run(["a", "b", "c"])).toMatchObject({ got: ["A", "B", "C"], code: 0 });
  expect(await run(["a", "!", "c"])).toEqual({ got: ["A"], code: 11, text: "etcdserver: over" });
  expect(counters.of(upper)).toMatchObject({ started: 2, sent: 4 });
  expect(counters.of(upper).handled[11]).toBe(1);
});

test("a server stream stops at a full transport, goes on at its drain, loses nothing", async () => {
  const count = 400;
  let stops = 0;
  const flood: Method = {
    path: "/t.Echo/Flood",
    kind: "serverStream",
    handle: (call) => {
      let next = 0;
      const send = (): void => {
        while (next < count) {
          const message = Buffer.alloc(20_000);
          message.writeUInt32BE(next++);
          if (!call.send(message)) {
            stops++;
            return;
          }
        }
        call.end();
      };
      call.onDrain(send);
      call.onMessage(send);
    },
  };
  const { client } = await open([flood]);
  const got: number[] = [];
  const call = client.makeServerStreamRequest("/t.Echo/Flood", asIs, asIs, Buffer.from("go"));
  call.on("data", (data: Buffer) => got.push(data.readUInt32BE()));
  await new Promise((resolve) => call.on("end", resolve));
  expect(got).toEqual(Array.from({ length: count }, (_, place) => place));
  expect(stops).toBeGreaterThan(1);
});

test("a client's cancel is told once, and later words go nowhere", async () => {
  let cancels = 0;
  let opened: StreamCall | undefined;
  const told = new Promise<void>((resolve) => {
    const waiting: Method = {
      path: "/t.Echo/Wait",
      kind: "bidi",
      handle: (call) => {
        opened = call;
        call.onCancel(() => {
          cancels++;
          call.fail({ code: 1, message: "gone" });
          resolve();
        });
        call.onMessage(() => call.send(Buffer.from("here")));
      },
    };
    void open([waiting]).then(({ client }) => {
      const call = client.makeBidiStreamRequest("/t.Echo/Wait", asIs, asIs);
      call.on("error", () => {});
      call.on("data", () => call.cancel());
      call.write(Buffer.from("x"));
    });
  });
  await told;
  expect(opened?.send(Buffer.from("late"))).toBe(false);
  opened?.end();
  expect(cancels).toBe(1);
});

test("close: running calls may end, new connections are refused, streams are cut", async () => {
  let finish: (() => void) | undefined;
  const started = new Promise<void>((resolve) => {
    const slow: Method = {
      path: "/t.Echo/Slow",
      kind: "unary",
      handle: (request, call) => {
        finish = () => call.respond(request);
        resolve();
      },
    };
    void open([slow]).then(async ({ server, port, client }) => {
      closing.push(async () => {
        expect(await answer).toMatchObject({ answer: Buffer.from("x") });
        await closed;
        expect(await talk(port, "GET / HTTP/1.1\r\n\r\n")).toBe("");
      });
      const answer = ask(client, "/t.Echo/Slow", "x");
      await started;
      const closed = server.close(5_000);
      finish?.();
    });
  });
  await started;
});

test("a client may reset each of 5,000 calls once it has its answer", async () => {
  const { port } = await open();
  const session = connect(`http://127.0.0.1:${port}`);
  closing.push(() => session.close());
  const ended = new Promise<string>((resolve) => {
    session.once("goaway", (code) => resolve(`goaway ${code}`));
    session.once("error", (error) => resolve(error.message));
  });
  const headers = {
    ...{ ":method": "POST", ":path": echo.path },
    ...{ "content-type": "application/grpc", te: "trailers" },
  };
  /** As @grpc/grpc-js before 1.10: the answer is there, and the stream is reset all the same. */
  const call = (): Promise<string> =>
    new Promise((resolve) => {
      const stream = session.request(headers);
      stream.on("error", () => {});
      stream.once("data", () => {
        stream.close(8);
        resolve("answered");
      });
      stream.end(Buffer.from([0, 0, 0, 0, 1, 0x61]));
    });
  for (let calls = 1; calls <= 5_000; calls++) {
    expect([calls, await Promise.race([call(), ended])]).toEqual([calls, "answered"]);
  }
}, 60_000);
