/** What a peer may cost, in memory: each attack ends its connection, and what is allowed does not. */
import { describe, expect, test } from "vitest";
import { ErrorCode, Flag, FrameType, frameHeaderBytes, preface } from "./constants.js";
import {
  block,
  data,
  frame,
  headers,
  requestFields,
  settingsFrame,
  TestPeer,
  uint32,
} from "./peer.fixture.js";

const opened = (stream: number): Buffer => headers(stream, requestFields, Flag.endHeaders);
const rst = (stream: number): Buffer =>
  frame(FrameType.rstStream, { stream, payload: uint32(ErrorCode.cancel) });
const ping = frame(FrameType.ping, { payload: Buffer.alloc(8) });
const calm = `GOAWAY ${ErrorCode.enhanceYourCalm}`;
const many = (count: number, make: (at: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, at) => make(at)));

describe("headers", () => {
  test("a list that is too large is answered with 431, and the connection goes on", () => {
    const peer = TestPeer.ready({ limits: { headerListBytesMax: 1_000 } });
    peer.send(headers(1, [...requestFields, ["big", "x".repeat(1_000)]]), headers(3));
    const frames = peer.frames();
    expect(frames[0]?.fields).toEqual([[":status", "431"]]);
    expect(peer.requests.map(({ stream }) => stream.id)).toEqual([3]);
  });

  test.each([
    ["many", 20, 10],
    ["empty", 20, 0],
    ["large", 8, 16_384],
  ])("%s CONTINUATION frames", (_name, count, bytes) => {
    const peer = TestPeer.ready().send(headers(1, requestFields, 0));
    const one = frame(FrameType.continuation, { stream: 1, payload: Buffer.alloc(bytes) });
    peer.send(many(count, () => one));
    expect(peer.reaction()).toEqual([calm]);
  });

  test("a block that is never completed", () => {
    const peer = TestPeer.ready().send(headers(1, requestFields, 0));
    peer.session.sweep(9_999);
    expect(peer.session.isOver).toBe(false);
    peer.session.sweep(10_000);
    expect(peer.reaction()).toEqual([`GOAWAY ${ErrorCode.settingsTimeout}`]);
  });
});

describe("streams", () => {
  test("those beyond the limit are refused and may be tried again", () => {
    const peer = TestPeer.ready({ limits: { concurrentStreamsMax: 2 } });
    peer.send(opened(1), opened(3), opened(5));
    expect(peer.reaction()).toEqual([`RST_STREAM 5 ${ErrorCode.refusedStream}`]);
    peer.send(data(1, "", true));
    peer.requests[0]?.answer("x");
    peer.send(headers(7));
    expect(peer.requests).toHaveLength(3);
  });

  test("rapid reset", () => {
    const peer = TestPeer.ready({ limits: { resetsBurst: 100, resetsPerSecond: 10 } });
    peer.send(many(200, (at) => Buffer.concat([headers(2 * at + 1), rst(2 * at + 1)])));
    expect(peer.reaction()).toEqual([calm]);
    expect(peer.requests).toHaveLength(101);
  });

  test("streams that break a rule count as well", () => {
    const peer = TestPeer.ready({ limits: { resetsBurst: 100, resetsPerSecond: 10 } });
    const nothing = frame(FrameType.windowUpdate, { stream: 1, payload: uint32(0) });
    const of = (id: number): Buffer => {
      const wrong = Buffer.from(nothing);
      wrong.writeUInt32BE(id, 5);
      return wrong;
    };
    peer.send(many(200, (at) => Buffer.concat([headers(2 * at + 1), of(2 * at + 1)])));
    expect(peer.reaction().at(-1)).toBe(calm);
    expect(peer.requests.length).toBeLessThan(110);
  });

  test("a reset after each completed call, as some clients send it, is no attack", () => {
    const limits = { resetsBurst: 10, resetsPerSecond: 1, idleFramesBurst: 10 };
    const peer = TestPeer.ready({ limits, onRequest: () => {} });
    for (let id = 1; id < 20_000; id += 2) {
      peer.send(headers(id));
      peer.requests.pop()?.answer("x");
      peer.pull();
      peer.send(rst(id));
    }
    expect(peer.session.isOver).toBe(false);
  });

  test("resets at a pace that is allowed", () => {
    const peer = TestPeer.ready({ limits: { resetsBurst: 10, resetsPerSecond: 10 } });
    for (let id = 1; id < 2_000; id += 2) {
      peer.nowMs += 100;
      peer.send(headers(id), rst(id));
    }
    expect(peer.session.isOver).toBe(false);
  });
});

describe("frames that ask for answers or do nothing", () => {
  const empty = data(1, "");
  test.each([
    ["SETTINGS", settingsFrame(), 1_000],
    ["empty DATA", empty, 30_000],
    ["PRIORITY", frame(2, { stream: 1, payload: Buffer.alloc(5) }), 30_000],
    ["WINDOW_UPDATE", frame(8, { payload: uint32(1) }), 30_000],
    ["unknown types", frame(0x77), 30_000],
    ["RST_STREAM of closed streams", rst(3), 30_000],
    ["acknowledged pings", frame(6, { flags: 1, payload: Buffer.alloc(8) }), 30_000],
  ])("a flood of %s", (_name, one, count) => {
    const peer = TestPeer.ready().send(opened(1), headers(3), rst(3));
    peer.frames();
    for (let sent = 0; sent < count && !peer.session.isOver; sent += 100) {
      peer.send(many(100, () => one));
    }
    expect(peer.reaction().at(-1)).toBe(calm);
  });

  test("window updates for what we sent are free", () => {
    const limits = { idleFramesBurst: 10, idleFramesPerSecond: 1 };
    const peer = TestPeer.ready({ limits }).send(opened(1));
    for (let sent = 0; sent < 1_000; sent++) {
      peer.requests[0]?.stream.send(Buffer.alloc(100));
      peer.send(frame(8, { payload: uint32(100) }), frame(8, { stream: 1, payload: uint32(100) }));
      peer.pull();
    }
    expect(peer.session.isOver).toBe(false);
  });

  test("answers to a client that reads nothing do not pile up", () => {
    const peer = TestPeer.ready().send(opened(1));
    for (let sent = 0; sent < 100; sent++) peer.send(many(10_000, () => ping));
    expect(peer.session.isOver).toBe(true);
    expect(peer.session.waitingBytes).toBeLessThan(100_000);
  });

  test("half a frame holds no more than a frame", () => {
    const peer = TestPeer.ready();
    peer.send(frame(0x77, { length: 16_384, payload: Buffer.alloc(16_000) }));
    expect(peer.frames()).toEqual([]);
    peer.send(Buffer.alloc(384));
    peer.send(headers(1));
    expect(peer.requests).toHaveLength(1);
    expect(frameHeaderBytes).toBe(9);
  });
});

describe("keepalive, as etcd has it", () => {
  test("pings more often than every 5 s: the fourth is too many", () => {
    const peer = TestPeer.ready().send(opened(1));
    peer.send(ping, ping, ping);
    expect(peer.session.isOver).toBe(false);
    peer.send(ping);
    const goaway = peer.frames().at(-1);
    expect(goaway?.payload.readUInt32BE(4)).toBe(ErrorCode.enhanceYourCalm);
    expect(goaway?.payload.toString("latin1", 8)).toBe("too_many_pings");
  });

  test("every 5 s with a call, or after what we sent, is allowed", () => {
    const slow = TestPeer.ready().send(opened(1));
    for (let sent = 0; sent < 100; sent++) {
      slow.nowMs += 5_000;
      slow.send(ping);
    }
    expect(slow.session.isOver).toBe(false);
    const measuring = TestPeer.ready().send(opened(1));
    for (let sent = 0; sent < 10_000; sent++) {
      measuring.requests[0]?.stream.send(Buffer.alloc(100));
      measuring.send(ping, frame(8, { payload: uint32(100) }));
      measuring.send(frame(8, { stream: 1, payload: uint32(100) }));
      measuring.pull();
    }
    expect(measuring.session.isOver).toBe(false);
  });

  test("without a call every 5 s is too often", () => {
    const peer = TestPeer.ready();
    for (let sent = 0; sent < 4; sent++) {
      peer.nowMs += 5_000;
      peer.send(ping);
    }
    expect(peer.session.isOver).toBe(true);
  });

  test("a silent client is asked after the interval, and is gone without an answer", () => {
    const options = { keepalive: { intervalMs: 1_000, timeoutMs: 200 } };
    const silent = TestPeer.ready(options).send(opened(1));
    silent.session.sweep(999);
    expect(silent.frames()).toEqual([]);
    silent.session.sweep(1_000);
    const asked = silent.frames();
    expect(asked).toMatchObject([{ type: FrameType.ping, flags: 0 }]);
    silent.session.sweep(1_199);
    expect(silent.session.isOver).toBe(false);
    silent.nowMs = 1_199;
    silent.send(frame(FrameType.ping, { flags: Flag.ack, payload: asked[0]?.payload }));
    silent.session.sweep(2_198);
    expect(silent.frames()).toEqual([]);
    silent.session.sweep(2_199);
    silent.session.sweep(2_399);
    expect(silent.session.isOver).toBe(true);
    expect(silent.requests[0]?.resets).toBe(1);
  });

  test("a host that vanished is noticed after two and a half minutes, whatever the flags say", () => {
    const keepalive = { intervalMs: Infinity, timeoutMs: Infinity };
    const gone = TestPeer.ready({ keepalive }).send(opened(1));
    gone.session.sweep(59_999);
    expect(gone.frames()).toEqual([]);
    gone.session.sweep(60_000);
    expect(gone.frames()).toMatchObject([{ type: FrameType.ping, flags: 0 }]);
    gone.session.sweep(149_999);
    expect(gone.session.isOver).toBe(false);
    gone.session.sweep(150_000);
    expect(gone.session.isOver).toBe(true);
    expect(gone.requests[0]?.resets).toBe(1);
  });

  test("a client that never sends its SETTINGS is not waited for", () => {
    const peer = new TestPeer().send(preface);
    peer.session.sweep(10_000);
    expect(peer.session.isOver).toBe(true);
    expect(block([])).toHaveLength(0);
  });
});
