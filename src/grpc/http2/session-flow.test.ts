/** Both directions of flow control, the order of what is sent, and the end of connections. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ErrorCode, Flag, FrameType, SettingId } from "./constants.js";
import { HeaderFields } from "./hpack/encoder.js";
import {
  data,
  frame,
  headers,
  requestFields,
  type Seen,
  type SeenFrame,
  settingsFrame,
  status200,
  TestPeer,
  uint32,
} from "./peer.fixture.js";

const windowUpdate = (stream: number, by: number): Buffer =>
  frame(FrameType.windowUpdate, { stream, payload: uint32(by) });
const opened = (stream: number): Buffer => headers(stream, requestFields, Flag.endHeaders);
const trailers = new HeaderFields(["grpc-status", "0"], true);
const answerHead = new HeaderFields([":status", "200", "content-type", "application/grpc"], true);
const bodies = (frames: readonly SeenFrame[]): number[] =>
  frames.filter(({ type }) => type === FrameType.data).map(({ payload }) => payload.length);

describe("what we send", () => {
  test("an answer waits for the stream's window, whatever the settings do meanwhile", () => {
    const peer = TestPeer.ready({}, [SettingId.initialWindowSize, 3]);
    peer.send(headers(1));
    peer.requests[0]?.answer("abcdefgh");
    expect(bodies(peer.frames())).toEqual([3]);
    // RFC 9113, section 6.9.2: the window becomes negative.
    peer.send(settingsFrame([SettingId.initialWindowSize, 2]));
    expect(bodies(peer.frames())).toEqual([]);
    peer.send(windowUpdate(1, 1));
    expect(bodies(peer.frames())).toEqual([]);
    peer.send(windowUpdate(1, 1));
    expect(bodies(peer.frames())).toEqual([1]);
    peer.send(settingsFrame([SettingId.initialWindowSize, 100]));
    const rest = peer.frames().at(-1);
    expect(rest).toMatchObject({ flags: Flag.endStream, payload: Buffer.from("efgh") });
    expect(peer.session.streamCount).toBe(0);
  });

  test("the connection's window bounds all streams together; they take turns", () => {
    const peer = TestPeer.ready();
    peer.send(headers(1), headers(3));
    for (const seen of peer.requests) seen.answer(Buffer.alloc(60_000));
    const first = peer.frames();
    expect(bodies(first).reduce((sum, bytes) => sum + bytes, 0)).toBe(65_535);
    const order = first.filter(({ type }) => type === FrameType.data).map(({ stream }) => stream);
    expect(order.slice(0, 4)).toEqual([1, 3, 1, 3]);
    peer.send(windowUpdate(0, 1_000_000));
    expect(bodies(peer.frames()).reduce((sum, bytes) => sum + bytes, 0)).toBe(120_000 - 65_535);
    expect(peer.session.streamCount).toBe(0);
  });

  test("frames are no larger than the client allows", () => {
    const peer = TestPeer.ready({}, [SettingId.initialWindowSize, 1 << 20], [5, 20_000]);
    peer.send(headers(1), windowUpdate(0, 1 << 20));
    peer.requests[0]?.answer(Buffer.alloc(50_000));
    expect(bodies(peer.frames())).toEqual([20_000, 20_000, 10_000]);
  });

  test("trailers come behind all data; an early answer stops the request", () => {
    const peer = TestPeer.ready({}, [SettingId.initialWindowSize, 10]);
    peer.send(opened(1));
    const { stream } = peer.requests[0] as Seen;
    stream.resetsAtEnd = true;
    stream.answer(answerHead, Buffer.from("0123456789"), trailers);
    expect(peer.frames().map(({ type }) => type)).toEqual([FrameType.headers, FrameType.data]);
    peer.send(windowUpdate(1, 100));
    const rest = peer.frames();
    expect(rest.map(({ type }) => type)).toEqual([0, 1, 3]);
    expect(rest[1]).toMatchObject({ flags: 5, fields: [["grpc-status", "0"]] });
    expect(rest[2]?.payload).toEqual(uint32(ErrorCode.noError));
  });

  test("a full stream says so, and tells when it has room again", () => {
    const peer = TestPeer.ready({}, [SettingId.initialWindowSize, 0]);
    peer.send(headers(1));
    const seen = peer.requests[0] as Seen;
    seen.stream.sendHead(status200);
    let sent = 0;
    while (seen.stream.send(Buffer.alloc(1_000))) sent += 1_000;
    expect(sent).toBe(65_000);
    peer.frames();
    expect(seen.drains).toBe(0);
    seen.onDrain = () => seen.stream.send(Buffer.alloc(10));
    peer.send(windowUpdate(1, 49_000));
    expect(bodies(peer.frames()).reduce((sum, bytes) => sum + bytes, 0)).toBe(49_000);
    expect(seen.drains).toBe(0);
    peer.send(windowUpdate(1, 1_000));
    peer.frames();
    expect(seen.drains).toBe(1);
  });

  test("many streams that nobody reads hold little more than the least of each", () => {
    const peer = TestPeer.ready({}, [SettingId.initialWindowSize, 0]);
    for (let id = 1; id < 2_000; id += 2) {
      peer.send(headers(id));
      const seen = peer.requests.at(-1) as Seen;
      seen.stream.sendHead(status200);
      while (seen.stream.send(Buffer.alloc(1_000))) {}
    }
    expect(peer.session.waitingBytes).toBeLessThan(18_000_000);
    const last = peer.requests.at(-1) as Seen;
    peer.send(windowUpdate(last.stream.id, 1_000));
    peer.pull();
    expect(last.drains).toBe(1);
  });

  test("a reset forgets what waits, and costs the others nothing", () => {
    const peer = TestPeer.ready();
    peer.send(headers(1), headers(3));
    peer.requests[0]?.answer(Buffer.alloc(10_000_000));
    peer.pull();
    expect(peer.session.waitingBytes).toBeGreaterThan(9_000_000);
    peer.send(frame(FrameType.rstStream, { stream: 1, payload: uint32(8) }));
    expect(peer.session.waitingBytes).toBe(0);
    peer.requests[1]?.answer("x");
    peer.send(windowUpdate(0, 1_000));
    expect(peer.frames().at(-1)).toMatchObject({ stream: 3, flags: Flag.endStream });
  });

  test("repeated fields cost one octet each; a smaller table is told and kept to", () => {
    const peer = TestPeer.ready();
    const ask = (id: number): SeenFrame[] => {
      peer.send(headers(id));
      peer.requests.at(-1)?.stream.answer(answerHead, Buffer.from("x"), trailers);
      return peer.frames();
    };
    const sizes = (frames: SeenFrame[]): number[] => frames.map(({ payload }) => payload.length);
    ask(1);
    expect(sizes(ask(3))).toEqual([2, 6, 1]);
    for (const [id, bytes] of [
      [5, 0],
      [7, 70],
      [9, 100_000],
    ] as const) {
      peer.send(settingsFrame([SettingId.headerTableSize, bytes]));
      peer.frames();
      const frames = ask(id);
      expect(frames[0]?.fields).toEqual([
        [":status", "200"],
        ["content-type", "application/grpc"],
      ]);
      expect(frames[2]?.fields).toEqual([["grpc-status", "0"]]);
      // The new size stands before the first field.
      expect((frames[0]?.payload[0] ?? 0) & 0xe0).toBe(0x20);
    }
    expect(sizes(ask(11))).toEqual([2, 6, 1]);
  });

  test("fields of more than a frame go on in CONTINUATION", () => {
    const peer = TestPeer.ready().send(headers(1));
    const value = "v".repeat(40_000);
    peer.requests[0]?.stream.sendHead(new HeaderFields([":status", "200", "x", value]));
    const pulled = peer.pull();
    const frames: [number, number][] = [];
    for (let at = 0; at < pulled.length; at += 9 + pulled.readUIntBE(at, 3)) {
      frames.push([pulled[at + 3] as number, pulled[at + 4] as number]);
    }
    expect(frames).toEqual([
      [FrameType.headers, 0],
      [FrameType.continuation, 0],
      [FrameType.continuation, Flag.endHeaders],
    ]);
  });
});

test("what is sent is what comes, for any sizes, windows and turns", () => {
  const step = fc.record({
    answers: fc.array(fc.integer({ min: 0, max: 90_000 }), { maxLength: 4 }),
    window: fc.integer({ min: 1, max: 70_000 }),
    pull: fc.integer({ min: 1, max: 40_000 }),
  });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 12 }),
      fc.integer({ max: 70_000, min: 0 }),
      (steps, w) => {
        const peer = TestPeer.ready({}, [SettingId.initialWindowSize, w]);
        const sent = new Map<number, Buffer>();
        const got = new Map<number, Buffer>();
        const windows = new Map<number, number>([[0, 65_535]]);
        let next = 1;
        const receive = (): void => {
          for (const { type, stream, payload } of peer.frames()) {
            if (type !== FrameType.data) continue;
            got.set(stream, Buffer.concat([got.get(stream) ?? Buffer.alloc(0), payload]));
            for (const id of [0, stream]) windows.set(id, (windows.get(id) ?? w) - payload.length);
            expect(
              Math.min(windows.get(0) as number, windows.get(stream) as number),
            ).toBeGreaterThanOrEqual(0);
          }
        };
        const open = (): void => {
          for (const id of [0, ...sent.keys()]) {
            windows.set(id, (windows.get(id) ?? w) + 100_000);
            peer.send(windowUpdate(id, 100_000));
          }
        };
        for (const { answers, window } of steps) {
          for (const bytes of answers) {
            peer.send(headers(next));
            const body = Buffer.alloc(bytes, next);
            sent.set(next, body);
            peer.requests.at(-1)?.answer(body);
            next += 2;
          }
          peer.send(windowUpdate(0, window));
          windows.set(0, (windows.get(0) as number) + window);
          receive();
        }
        for (let round = 0; round < 50 && peer.session.streamCount > 0; round++) {
          open();
          receive();
        }
        expect(peer.session.streamCount).toBe(0);
        for (const [id, body] of sent) {
          expect((got.get(id) ?? Buffer.alloc(0)).equals(body)).toBe(true);
        }
      },
    ),
    { numRuns: 60 },
  );
});

describe("what we receive", () => {
  test("more than a window is an error of the stream, or of the connection", () => {
    const peer = TestPeer.ready().send(opened(1));
    const chunk = data(1, Buffer.alloc(16_384));
    peer.send(chunk, chunk, chunk, chunk);
    expect(peer.reaction()).toEqual(["RST_STREAM 1 3"]);
    const small = TestPeer.ready({ limits: { connectionWindow: 65_535 } });
    // Nothing was pulled, and still the window was given back: only a burst can break it.
    small.send(opened(1), opened(3));
    for (const id of [1, 3])
      small.send(data(id, Buffer.alloc(16_384)), data(id, Buffer.alloc(16_384)));
    expect(small.reaction()).toEqual([]);
  });

  test("windows grow again when the body was taken", () => {
    const peer = TestPeer.ready().send(opened(1));
    const seen = peer.requests[0] as Seen;
    seen.window = 65_535;
    let received = 0;
    for (let sent = 0; sent < 40; sent++) {
      peer.send(data(1, Buffer.alloc(16_384)));
      received += 16_384;
      expect(peer.reaction()).toEqual([]);
    }
    expect(seen.body.length).toBe(received);
  });
});

describe("the end", () => {
  test("drain: what was sent before the client knew is served, then it is over", () => {
    const peer = TestPeer.ready().send(headers(1));
    peer.session.drain();
    const [goaway, ping] = peer.frames();
    expect(goaway?.payload.subarray(0, 8)).toEqual(uint32(0x7fff_ffff, 0));
    peer.send(headers(3), frame(FrameType.ping, { flags: Flag.ack, payload: ping?.payload }));
    expect(peer.frames().at(-1)?.payload.subarray(0, 8)).toEqual(uint32(3, 0));
    peer.send(headers(5));
    expect(peer.requests).toHaveLength(2);
    for (const seen of peer.requests) seen.answer("x");
    expect(peer.session.isOver).toBe(true);
    expect(peer.frames().filter(({ flags }) => flags === Flag.endStream)).toHaveLength(2);
  });

  test("a connection without streams is over at once when it is drained", () => {
    const peer = TestPeer.ready();
    peer.session.drain();
    const ping = peer.frames()[1];
    expect(peer.session.isOver).toBe(false);
    peer.send(frame(FrameType.ping, { flags: Flag.ack, payload: ping?.payload }));
    expect(peer.session.isOver).toBe(true);
  });

  test("close tells every stream, once", () => {
    const peer = TestPeer.ready().send(opened(1), headers(3));
    peer.session.close();
    peer.session.close();
    expect(peer.requests.map(({ resets }) => resets)).toEqual([1, 1]);
    peer.requests[1]?.answer("late");
    expect(peer.frames().map(({ type }) => type)).toEqual([FrameType.goaway]);
  });

  test("output is told once until it is pulled", () => {
    const peer = TestPeer.ready().send(headers(1), headers(3));
    const before = peer.outputs;
    for (const seen of peer.requests) seen.answer("x");
    expect(peer.outputs).toBe(before + 1);
    peer.pull();
    peer.send(headers(5));
    peer.requests[2]?.answer("x");
    expect(peer.outputs).toBe(before + 2);
  });
});
