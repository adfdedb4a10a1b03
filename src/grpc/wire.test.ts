/** gRPC and HTTP as a foreign HTTP/2 client (Node's own) sees them, fields and octets. */
import {
  type ClientHttp2Session,
  connect,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from "node:http2";
import { get } from "node:https";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { nodeClock } from "../platform/node/clock.js";
import type { Method, StreamCall } from "./call.js";
import { CallCounters } from "./call-counters.js";
import { testListener } from "./listener.fixture.js";
import { type ServerOptions, startServer } from "./server.js";
import { testCertificate, testCredentials } from "./tls.fixture.js";

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

const bytesMax = 3_000_000;
const canceled: string[] = [];
const methods: Method[] = [
  {
    path: "/t.T/Ask",
    kind: "unary",
    handle: (request, call) => {
      const text = Buffer.from(request.subarray(0, 20)).toString();
      if (text === "fail") call.fail({ code: 9, message: "ü%\n" });
      else if (text === "hang") call.onCancel(() => canceled.push("unary"));
      else if (text.startsWith("?")) call.respond(Buffer.from(`${call.metadata(text.slice(1))}`));
      else call.respond(Buffer.from(`${request.length}`));
    },
  },
  {
    path: "/t.T/Talk",
    kind: "bidi",
    handle: (call: StreamCall) => {
      call.onCancel(() => canceled.push("bidi"));
      call.onMessage((message) => call.send(message));
      call.onHalfClose(() => call.end());
    },
  },
];

async function open(more: Partial<ServerOptions> = {}) {
  const counters = new CallCounters();
  const server = startServer({
    listener: await testListener(),
    methods,
    http: (request, response) => {
      const parts: Buffer[] = [];
      request.on("data", (part: Buffer) => parts.push(part));
      request.on("end", () => {
        const body = Buffer.concat(parts).length;
        if (request.url === "/big") response.end(Buffer.alloc(5_000_000, 7));
        else response.end(`${request.method} ${request.url} ${request.headers.host} ${body}`);
      });
    },
    maxReceiveBytes: bytesMax,
    log: () => {},
    counters,
    clock: nodeClock,
    ...more,
  });
  cleanups.push(() => server.close(0));
  const port = server.addresses[0]?.port ?? 0;
  // Node gives up on its own session when it holds much.
  const client = connect(`http://127.0.0.1:${port}`, { maxSessionMemory: 100 });
  client.on("error", () => {});
  cleanups.push(() => client.destroy());
  return { server, port, client, counters };
}

interface Answer {
  readonly head: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly body: Buffer;
}

function ask(
  client: ClientHttp2Session,
  fields: OutgoingHttpHeaders,
  ...parts: Buffer[]
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = client.request(
      { ":method": "POST", "content-type": "application/grpc", te: "trailers", ...fields },
      { endStream: false },
    );
    let head: IncomingHttpHeaders = {};
    let trailers: IncomingHttpHeaders = {};
    const body: Buffer[] = [];
    stream.on("response", (received) => {
      head = received;
    });
    stream.on("trailers", (received) => {
      trailers = received;
    });
    stream.on("data", (part: Buffer) => body.push(part));
    stream.on("error", reject);
    stream.on("close", () => resolve({ head, trailers, body: Buffer.concat(body) }));
    for (const part of parts) stream.write(part);
    stream.end();
  });
}

function message(body: Buffer | string, flag = 0): Buffer {
  const bytes = Buffer.from(body as string);
  const prefix = Buffer.from([flag, 0, 0, 0, 0]);
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
}

const unary = { ":path": "/t.T/Ask" };
/** Code and text of an answer that is nothing but a status. */
const statusOf = ({ head, body }: Answer): [string, string] => {
  expect(head[":status"]).toBe(200);
  expect(body).toHaveLength(0);
  return [String(head["grpc-status"]), decodeURIComponent(String(head["grpc-message"]))];
};

describe("a call", () => {
  test("head, message, trailers", async () => {
    const { client } = await open();
    const { head, trailers, body } = await ask(client, unary, message("abc"));
    expect(head).toMatchObject({ ":status": 200, "content-type": "application/grpc" });
    expect(trailers["grpc-status"]).toBe("0");
    expect(body).toEqual(message("3"));
  });

  test("a failure is nothing but trailers, its text percent-encoded", async () => {
    const { client } = await open();
    const { head } = await ask(client, unary, message("fail"));
    expect(head).toMatchObject({ "grpc-status": "9", "grpc-message": "%C3%BC%25%0A" });
  });

  test.each([
    ["no message", [], "13", /sent none/],
    ["two messages", [message("a"), message("b")], "13", /sent more/],
    ["half a message", [message("abc").subarray(0, 6)], "13", /unexpected EOF/],
    ["half a prefix", [Buffer.from([0, 0])], "13", /unexpected EOF/],
    ["a flag that is none", [message("abc", 2)], "13", /unexpected payload format 2/],
    ["compression without encoding", [message("abc", 1)], "13", /compressed flag set/],
    [
      "4 GiB announced",
      [Buffer.from("00ffffffff", "hex")],
      "8",
      /^grpc: received message larger than max \(4294967295 vs\. 3000000\)$/,
    ],
  ])("%s", async (_name, parts, code, text) => {
    const { client } = await open();
    const [seenCode, seenText] = statusOf(await ask(client, unary, ...parts));
    expect(seenText).toMatch(text);
    expect(seenCode).toBe(code);
    expect((await ask(client, unary, message("on"))).body).toEqual(message("2"));
  });

  test("gzip, for a client that uses it; a bomb is refused", async () => {
    const { client } = await open();
    const gzip = { ...unary, "grpc-encoding": "gzip" };
    const small = message(gzipSync(Buffer.alloc(10_000)), 1);
    expect((await ask(client, gzip, small)).body).toEqual(message("10000"));
    expect((await ask(client, gzip, message("plain"))).body).toEqual(message("5"));
    const bomb = message(gzipSync(Buffer.alloc(50_000_000)), 1);
    expect(statusOf(await ask(client, gzip, bomb))[0]).toBe("8");
    expect(statusOf(await ask(client, gzip, message("no gzip", 1)))[0]).toBe("13");
    const other = await ask(client, { ...unary, "grpc-encoding": "snappy" }, message("x", 1));
    expect(statusOf(other)).toEqual([
      "12",
      'grpc: Decompressor is not installed for grpc-encoding "snappy"',
    ]);
    expect(other.head["grpc-accept-encoding"]).toBe("gzip");
  });

  test("metadata, also binary", async () => {
    const { client } = await open();
    const fields = {
      ...unary,
      token: "abc",
      "trace-bin": Buffer.from([1, 255]).toString("base64"),
    };
    expect((await ask(client, fields, message("?token"))).body).toEqual(message("abc"));
    const binary = await ask(client, fields, message("?trace-bin"));
    expect(binary.body).toEqual(message(Buffer.from(Buffer.from([1, 255]).toString("latin1"))));
    expect((await ask(client, fields, message("?none"))).body).toEqual(message("undefined"));
  });

  test("what is no call of a method", async () => {
    const { client } = await open();
    const statusFor = async (fields: OutgoingHttpHeaders): Promise<number> =>
      Number((await ask(client, { ...unary, ...fields })).head[":status"]);
    expect(await statusFor({ "content-type": "application/json" })).toBe(415);
    expect(await statusFor({ "content-type": "application/grpc-web" })).toBe(415);
    expect(await statusFor({ ":method": "PUT" })).toBe(405);
    const timeout = await ask(client, { ...unary, "grpc-timeout": "5x" }, message("a"));
    expect(statusOf(timeout)).toEqual(["13", 'malformed grpc-timeout: "5x"']);
    const suffixed = await ask(
      client,
      { ...unary, "content-type": "application/grpc+proto" },
      message("a"),
    );
    expect(suffixed.trailers["grpc-status"]).toBe("0");
  });

  test("a deadline ends the call on the server, its service hears of it", async () => {
    const { client, counters } = await open();
    canceled.length = 0;
    const timed = { ...unary, "grpc-timeout": "30m" };
    expect(statusOf(await ask(client, timed, message("hang")))).toEqual([
      "4",
      "context deadline exceeded",
    ]);
    const talk = client.request({
      ":method": "POST",
      ":path": "/t.T/Talk",
      "content-type": "application/grpc",
      "grpc-timeout": "50000u",
    });
    talk.write(message("a"));
    talk.resume();
    const trailers = await new Promise<IncomingHttpHeaders>((resolve) =>
      talk.on("trailers", resolve),
    );
    expect(trailers["grpc-status"]).toBe("4");
    expect(canceled).toEqual(["unary", "bidi"]);
    for (const { handled } of counters.all()) expect(handled[4]).toBe(1);
  });

  test("a client that resets a call cancels it", async () => {
    const { client } = await open();
    canceled.length = 0;
    const stream = client.request({
      ":method": "POST",
      "content-type": "application/grpc",
      ...unary,
    });
    stream.on("error", () => {});
    stream.end(message("hang"));
    // An answer to a later call: the first has begun.
    await ask(client, unary, message("a"));
    stream.close(constants.NGHTTP2_CANCEL);
    await ask(client, unary, message("a"));
    expect(canceled).toEqual(["unary"]);
  });

  test("large messages, many at a time, all arrive whatever the budget", async () => {
    const limits = { largeMessageBytesMax: 4_000_000 };
    const { client } = await open({ limits });
    const body = message(Buffer.alloc(2_500_000, 1));
    const asked = Array.from({ length: 12 }, () => ask(client, unary, body));
    for (const { body: answer } of await Promise.all(asked)) {
      expect(answer).toEqual(message("2500000"));
    }
  });

  test("a stream of messages cut anywhere", async () => {
    const { client } = await open();
    const sent = Buffer.concat(
      [1, 0, 70_000, 5, 0, 200_000, 3].map((n) => message(Buffer.alloc(n, n))),
    );
    const parts: Buffer[] = [];
    for (let at = 0; at < sent.length; at += 9_973) parts.push(sent.subarray(at, at + 9_973));
    const { body, trailers } = await ask(client, { ":path": "/t.T/Talk" }, ...parts);
    expect(body.equals(sent)).toBe(true);
    expect(trailers["grpc-status"]).toBe("0");
  });
});

describe("plain HTTP over HTTP/2", () => {
  const plain = { "content-type": "text/plain", ":authority": "me" };

  test("reaches the handler with method, path, host and body", async () => {
    const { client } = await open();
    const request = { ...plain, ":path": "/a?b=c" };
    const { head, body } = await ask(client, request, Buffer.alloc(300_000));
    expect(head).toMatchObject({ ":status": 200 });
    expect(head["transfer-encoding"] ?? head.connection).toBeUndefined();
    expect(body.toString()).toBe("POST /a?b=c me 300000");
    const options = await ask(client, { ...request, ":method": "GET" });
    expect(options.body.toString()).toBe("GET /a?b=c me 0");
  });

  test("a large answer comes as fast as it is read, and a reset stops it", async () => {
    const { client } = await open();
    expect((await ask(client, { ...plain, ":path": "/big" })).body).toHaveLength(5_000_000);
    const stream = client.request({ ":path": "/big" });
    stream.on("error", () => {});
    await new Promise((resolve) => stream.once("response", resolve));
    stream.close(constants.NGHTTP2_CANCEL);
    expect((await ask(client, { ...plain, ":path": "/c" })).head[":status"]).toBe(200);
  });

  test("more than some at a time are refused; their places are free again afterwards", async () => {
    const { client } = await open({ limits: { httpRequestsMax: 2 } });
    const request = { ...plain, ":path": "/a" };
    const asked = Array.from({ length: 5 }, () => ask(client, request));
    const outcomes = await Promise.allSettled(asked);
    const refused = outcomes.filter(({ status }) => status === "rejected");
    expect(refused.map((outcome) => String((outcome as PromiseRejectedResult).reason))).toEqual(
      Array(3).fill(expect.stringContaining("REFUSED_STREAM")),
    );
    for (let turn = 0; turn < 5; turn++) {
      expect((await ask(client, request)).head[":status"]).toBe(200);
    }
  });

  test("an open request does not keep a server from closing", async () => {
    const { client, server } = await open({ http: () => {} });
    const stream = client.request({ ":path": "/never" });
    stream.on("error", () => {});
    await new Promise((resolve) => client.ping(resolve));
    await server.close(20);
  });
});

test("TLS: HTTP/2 by ALPN, HTTP/1.1 for the others, garbage harms nobody", async () => {
  const { port, client } = await open({ listener: await testListener(1, testCredentials()) });
  client.destroy();
  const secure = connect(`https://localhost:${port}`, { ca: testCertificate });
  cleanups.push(() => secure.destroy());
  expect((await ask(secure, unary, message("abc"))).body).toEqual(message("3"));
  expect(secure.alpnProtocol).toBe("h2");
  const big = message(Buffer.alloc(2_000_000));
  expect((await ask(secure, unary, big)).body).toEqual(message("2000000"));
  const text = await new Promise<string>((resolve, reject) => {
    get({ host: "localhost", port, path: "/x", ca: testCertificate, agent: false }, (response) => {
      response.setEncoding("utf8");
      response.once("data", resolve);
    }).once("error", reject);
  });
  expect(text).toBe(`GET /x localhost:${port} 0`);
});
