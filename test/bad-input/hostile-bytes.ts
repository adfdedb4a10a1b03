/**
 * Byte sequences that no right client sends, for the ports of a server: noise, broken HTTP/1.1,
 * and HTTP/2 that starts well and goes wrong in each layer. `throwAt` sends one and reports how the
 * server took it; nothing here expects a certain answer, only that the server ends the matter.
 */
import { connect } from "node:net";
import type { SeededRng } from "../support/seeded-rng.js";

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const FRAME_TYPE = { data: 0, headers: 1, rst: 3, settings: 4, ping: 6, goaway: 7, window: 8 };

function noise(rng: SeededRng, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => rng.int(256)));
}

function frame(
  type: number,
  options: { flags?: number; stream?: number; payload?: Buffer; claimedLength?: number },
): Buffer {
  const payload = options.payload ?? Buffer.alloc(0);
  const header = Buffer.alloc(9);
  header.writeUIntBE(options.claimedLength ?? payload.length, 0, 3);
  header[3] = type;
  header[4] = options.flags ?? 0;
  header.writeUInt32BE(options.stream ?? 0, 5);
  return Buffer.concat([header, payload]);
}

const settings = frame(FRAME_TYPE.settings, {});

/** A request's header block: only literal fields without indexing, so it needs no table. */
function requestHeaders(path: string): Buffer {
  const literal = (text: string): Buffer =>
    Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);
  const field = (name: string, value: string): Buffer =>
    Buffer.concat([Buffer.from([0]), literal(name), literal(value)]);
  return Buffer.concat([
    field(":method", "POST"),
    field(":scheme", "http"),
    field(":path", path),
    field(":authority", "localhost"),
    field("content-type", "application/grpc"),
    field("te", "trailers"),
  ]);
}

function grpcCall(path: string, body: Buffer, headerFlags = 4): Buffer {
  return Buffer.concat([
    PREFACE,
    settings,
    frame(FRAME_TYPE.headers, { flags: headerFlags, stream: 1, payload: requestHeaders(path) }),
    frame(FRAME_TYPE.data, { flags: 1, stream: 1, payload: body }),
  ]);
}

const PUT = "/etcdserverpb.KV/Put";

/** Named, so that a failure says which one it was. */
export function hostileInputs(rng: SeededRng): readonly (readonly [string, Buffer])[] {
  return [
    ["noise", noise(rng, 2_000)],
    ["one byte", noise(rng, 1)],
    ["zeros", Buffer.alloc(4_096)],
    ["TLS hello to a plain port", Buffer.from("16030100a5010000a10303", "hex")],
    ["HTTP/1.1 with nonsense", Buffer.from("GARBAGE / HTTP/9.9\r\n\r\n")],
    ["HTTP/1.1 endless header", Buffer.from(`GET / HTTP/1.1\r\nx: ${"y".repeat(200_000)}`)],
    ["HTTP/1.1 with a bad length", Buffer.from("POST /x HTTP/1.1\r\nContent-Length: -5\r\n\r\n")],
    ["half a preface", PREFACE.subarray(0, 11)],
    ["preface, then noise", Buffer.concat([PREFACE, noise(rng, 3_000)])],
    ["half a frame header", Buffer.concat([PREFACE, settings, Buffer.from([0, 0])])],
    [
      "a frame longer than allowed",
      Buffer.concat([PREFACE, settings, frame(0, { stream: 1, claimedLength: 0xffffff })]),
    ],
    [
      "half a frame",
      Buffer.concat([PREFACE, settings, frame(1, { stream: 1, claimedLength: 5_000 })]),
    ],
    ["settings of a wrong size", Buffer.concat([PREFACE, frame(4, { payload: noise(rng, 5) })])],
    ["settings on a stream", Buffer.concat([PREFACE, frame(4, { stream: 3 })])],
    [
      "ping of a wrong size",
      Buffer.concat([PREFACE, settings, frame(6, { payload: noise(rng, 3) })]),
    ],
    [
      "a window update of zero",
      Buffer.concat([PREFACE, settings, frame(8, { payload: Buffer.alloc(4) })]),
    ],
    [
      "a window beyond its maximum",
      Buffer.concat([PREFACE, settings, frame(8, { payload: Buffer.from("7fffffff", "hex") })]),
    ],
    ["data on an idle stream", Buffer.concat([PREFACE, settings, frame(0, { stream: 7 })])],
    ["headers on stream 0", Buffer.concat([PREFACE, settings, frame(1, { flags: 4 })])],
    [
      "a header block of noise",
      Buffer.concat([
        PREFACE,
        settings,
        frame(1, { flags: 4, stream: 1, payload: noise(rng, 500) }),
      ]),
    ],
    ["a continuation that never comes", grpcCall(PUT, Buffer.alloc(0), 0)],
    ["continuation without headers", Buffer.concat([PREFACE, settings, frame(9, { stream: 1 })])],
    ["an even stream", Buffer.concat([PREFACE, settings, frame(1, { flags: 5, stream: 2 })])],
    ["frames of unknown types", Buffer.concat([PREFACE, settings, frame(0xee, { stream: 9 })])],
    [
      "a message of noise",
      grpcCall(PUT, Buffer.concat([Buffer.from("0000000064", "hex"), noise(rng, 100)])),
    ],
    ["a message that claims 4 GiB", grpcCall(PUT, Buffer.from("00ffffffff0a", "hex"))],
    ["a compressed message without encoding", grpcCall(PUT, Buffer.from("01000000020a00", "hex"))],
    ["half a message prefix", grpcCall(PUT, Buffer.from("0000", "hex"))],
    ["no message", grpcCall(PUT, Buffer.alloc(0))],
    ["two messages to a unary call", grpcCall(PUT, Buffer.alloc(10))],
    ["an unknown method", grpcCall("/etcdserverpb.KV/Nonsense", Buffer.alloc(5))],
    ["an unknown service", grpcCall("/../../etc", Buffer.alloc(5))],
    [
      "a thousand streams reset at once",
      Buffer.concat([
        PREFACE,
        settings,
        ...Array.from({ length: 1_000 }, (_, i) =>
          Buffer.concat([
            frame(1, { flags: 4, stream: 2 * i + 1, payload: requestHeaders(PUT) }),
            frame(FRAME_TYPE.rst, { stream: 2 * i + 1, payload: Buffer.alloc(4) }),
          ]),
        ),
      ]),
    ],
  ];
}

/** Sends `input`, lets the server answer or close for a moment, and breaks off. */
export function throwAt(port: number, input: Buffer, patienceMs = 60): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.write(input);
      setTimeout(() => socket.destroy(), patienceMs);
    });
    socket.on("error", () => undefined);
    socket.on("data", () => undefined);
    socket.on("close", () => resolve());
  });
}
