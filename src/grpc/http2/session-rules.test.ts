/**
 * The rules of RFC 9113 (and of RFC 7540 where conformance suites still ask for them), one mistake
 * after the other: which frame the server answers with, and whether the connection ends.
 */
import { describe, expect, test } from "vitest";
import { ErrorCode, Flag, FrameType, preface, SettingId } from "./constants.js";
import {
  block,
  data,
  type Fields,
  frame,
  headers,
  requestFields,
  settingsFrame,
  TestPeer,
  uint32,
} from "./peer.fixture.js";

const { protocolError, streamClosed, frameSizeError, flowControlError, compressionError } =
  ErrorCode;
const { endHeaders, endStream, padded, priority } = Flag;
const open = endHeaders;
const whole = endHeaders | endStream;
const request = (stream = 1): Buffer => headers(stream);
const opened = (stream = 1): Buffer => headers(stream, requestFields, open);
const rst = (stream: number): Buffer =>
  frame(FrameType.rstStream, { stream, payload: uint32(ErrorCode.cancel) });
const windowUpdate = (stream: number, by: number): Buffer =>
  frame(FrameType.windowUpdate, { stream, payload: uint32(by) });
const continuation = (stream: number, payload: Buffer, flags = endHeaders as number): Buffer =>
  frame(FrameType.continuation, { stream, flags, payload });
const priorityFrame = (stream: number, on: number): Buffer =>
  frame(FrameType.priority, { stream, payload: Buffer.concat([uint32(on), Buffer.from([7])]) });
const without = (name: string): Fields => requestFields.filter(([known]) => known !== name);
const plus = (...more: (readonly [string, string])[]): Fields => [...requestFields, ...more];
const filler = (bytes: number): Buffer => Buffer.alloc(bytes);

type Case = readonly [name: string, sent: readonly Buffer[], code: number];

describe("these end the connection", () => {
  const cases: readonly Case[] = [
    ["4.2: a frame that is too large", [frame(0, { stream: 1, length: 16_385 })], frameSizeError],
    [
      "4.3: a block that is no header block",
      [frame(FrameType.headers, { stream: 1, flags: whole, payload: Buffer.from([0xff, 0xff]) })],
      compressionError,
    ],
    ["4.3: PRIORITY amid a block", [headers(1, requestFields, endStream), priorityFrame(1, 0)], 1],
    ["4.3: HEADERS amid a block", [headers(1, requestFields, endStream), request(3)], 1],
    ["5.5: an unknown frame amid a block", [headers(1, requestFields, 1), frame(0x16)], 1],
    ["5.1: DATA on an idle stream", [data(1, "x", true)], protocolError],
    ["5.1: RST_STREAM on an idle stream", [rst(1)], protocolError],
    ["5.1: WINDOW_UPDATE on an idle stream", [windowUpdate(1, 100)], protocolError],
    ["5.1: CONTINUATION on an idle stream", [continuation(1, block(requestFields))], protocolError],
    ["5.1: HEADERS after the stream was closed", [opened(), rst(1), request()], streamClosed],
    ["5.1: CONTINUATION after END_STREAM", [request(), continuation(1, filler(3))], protocolError],
    ["5.1.1: an even stream", [request(2)], protocolError],
    ["5.1.1: a stream below the last", [request(5), request(3)], protocolError],
    ["6.1: DATA on stream 0", [data(0, "x")], protocolError],
    [
      "6.1: padding as long as the payload",
      [opened(), frame(0, { stream: 1, flags: padded, payload: Buffer.from([5, 1, 2, 3, 4]) })],
      protocolError,
    ],
    ["6.1: padding without a length", [opened(), frame(0, { stream: 1, flags: padded })], 6],
    ["6.2: HEADERS on stream 0", [request(0)], protocolError],
    [
      "6.2: padding as long as the block",
      [frame(1, { stream: 1, flags: whole | padded, payload: Buffer.from([9, 0x82, 0x84]) })],
      protocolError,
    ],
    [
      "6.2: priority that is not there",
      [frame(1, { stream: 1, flags: whole | priority, payload: filler(4) })],
      frameSizeError,
    ],
    ["6.3: PRIORITY on stream 0", [priorityFrame(0, 1)], protocolError],
    ["6.4: RST_STREAM on stream 0", [rst(0)], protocolError],
    ["6.4: RST_STREAM of 3", [opened(), frame(3, { stream: 1, payload: filler(3) })], 6],
    [
      "6.5: SETTINGS acknowledgement with a payload",
      [frame(4, { flags: Flag.ack, payload: filler(6) })],
      frameSizeError,
    ],
    ["6.5: SETTINGS on a stream", [frame(4, { stream: 1 })], protocolError],
    ["6.5: SETTINGS of 3", [frame(4, { payload: filler(3) })], frameSizeError],
    ["6.5.2: ENABLE_PUSH 2", [settingsFrame([SettingId.enablePush, 2])], protocolError],
    ["6.5.2: a window above 2^31-1", [settingsFrame([4, 0x8000_0000])], flowControlError],
    ["6.5.2: frames below 16,384", [settingsFrame([5, 16_383])], protocolError],
    ["6.5.2: frames above 2^24-1", [settingsFrame([5, 0x100_0000])], protocolError],
    ["6.6: PUSH_PROMISE", [frame(5, { stream: 1, flags: 4, payload: filler(9) })], protocolError],
    ["6.7: PING on a stream", [frame(6, { stream: 1, payload: filler(8) })], protocolError],
    ["6.7: PING of 6", [frame(6, { payload: filler(6) })], frameSizeError],
    ["6.8: GOAWAY on a stream", [frame(7, { stream: 1, payload: filler(8) })], protocolError],
    ["6.9: WINDOW_UPDATE of 0 on the connection", [windowUpdate(0, 0)], protocolError],
    ["6.9: WINDOW_UPDATE of 3 octets", [frame(8, { payload: filler(3) })], frameSizeError],
    ["6.9.1: a window above 2^31-1", [windowUpdate(0, 0x7fff_ffff)], flowControlError],
    [
      "6.9.2: a setting that makes a window too large",
      [opened(), windowUpdate(1, 0x7fff_0000 - 1), settingsFrame([4, 0x2_0000])],
      flowControlError,
    ],
    [
      "6.10: CONTINUATION behind a complete block",
      [request(), continuation(1, block([["a", "b"]]))],
      protocolError,
    ],
    [
      "6.10: CONTINUATION behind CONTINUATION with END_HEADERS",
      [headers(1, without(":path"), 1), continuation(1, filler(0)), continuation(1, filler(0))],
      protocolError,
    ],
    [
      "6.10: CONTINUATION on stream 0",
      [headers(1, requestFields, 1), continuation(0, filler(1))],
      1,
    ],
    [
      "6.10: CONTINUATION on another stream",
      [headers(1, requestFields, 1), continuation(3, filler(1))],
      1,
    ],
    ["6.10: CONTINUATION behind DATA", [opened(), data(1, "x"), continuation(1, filler(1))], 1],
    [
      "7541, 2.3.3: an index beyond the tables",
      [frame(1, { stream: 1, flags: whole, payload: Buffer.from([0xc6]) })],
      compressionError,
    ],
  ];
  test.each(cases)("%s", (_name, sent, code) => {
    const peer = TestPeer.ready().send(...sent);
    expect(peer.reaction().at(-1)).toBe(`GOAWAY ${code}`);
    expect(peer.session.isOver).toBe(true);
    // Whatever comes then is not read.
    peer.send(request(101), frame(0x55));
    expect(peer.frames()).toEqual([]);
    expect(peer.requests.every(({ resets }) => resets <= 1)).toBe(true);
  });
});

describe("these end their stream alone", () => {
  const self = Buffer.concat([uint32(1), Buffer.from([7]), block(requestFields)]);
  const length = (value: string): Fields => plus(["content-length", value]);
  const cases: readonly Case[] = [
    ["5.1: DATA after END_STREAM", [request(), data(1, "x")], streamClosed],
    ["5.1: HEADERS after END_STREAM", [request(), request()], streamClosed],
    ["5.1: DATA after RST_STREAM", [opened(), rst(1), data(1, "x")], streamClosed],
    [
      "5.3.1: HEADERS that depend on themselves",
      [frame(1, { stream: 1, flags: whole | priority, payload: self })],
      1,
    ],
    ["5.3.1: PRIORITY on itself", [opened(), priorityFrame(1, 1)], protocolError],
    ["6.3: PRIORITY of 4", [opened(), frame(2, { stream: 1, payload: filler(4) })], frameSizeError],
    ["6.9: WINDOW_UPDATE of 0", [opened(), windowUpdate(1, 0)], protocolError],
    ["6.9.1: a window above 2^31-1", [opened(), windowUpdate(1, 0x7fff_ffff)], flowControlError],
    ["8.1: trailers without END_STREAM", [opened(), headers(1, [["a", "b"]], open)], protocolError],
    ["8.1: a pseudo-header field in trailers", [opened(), headers(1, [[":path", "/"]])], 1],
    ["8.2: an upper-case name", [headers(1, plus(["X-Test", "a"]))], protocolError],
    ["8.2: a name with a space", [headers(1, plus(["a b", "a"]))], protocolError],
    ["8.2: an empty name", [headers(1, plus(["", "a"]))], protocolError],
    ["8.2: a value with a line feed", [headers(1, plus(["a", "b\nc: d"]))], protocolError],
    ["8.2.2: connection", [headers(1, plus(["connection", "keep-alive"]))], protocolError],
    ["8.2.2: transfer-encoding", [headers(1, plus(["transfer-encoding", "chunked"]))], 1],
    ["8.2.2: te", [headers(1, plus(["te", "trailers, deflate"]))], protocolError],
    ["8.3: an unknown pseudo-header field", [headers(1, [[":test", "a"], ...requestFields])], 1],
    ["8.3: one of answers", [headers(1, [[":status", "200"], ...requestFields])], protocolError],
    ["8.3: one behind other fields", [headers(1, [["a", "b"], ...requestFields])], protocolError],
    ["8.3.1: no :method", [headers(1, without(":method"))], protocolError],
    ["8.3.1: no :scheme", [headers(1, without(":scheme"))], protocolError],
    ["8.3.1: no :path", [headers(1, without(":path"))], protocolError],
    ["8.3.1: an empty :path", [headers(1, [...without(":path"), [":path", ""]])], protocolError],
    ["8.3.1: two :method", [headers(1, [[":method", "GET"], ...requestFields])], protocolError],
    ["8.3.1: two :path", [headers(1, [[":path", "/"], ...requestFields])], protocolError],
    ["8.1.1: less than content-length", [headers(1, length("3"), open), data(1, "ab", true)], 1],
    [
      "8.1.1: more than content-length",
      [headers(1, length("1"), open), data(1, "a"), data(1, "b", true)],
      1,
    ],
    ["8.1.1: content-length without a body", [headers(1, length("3"))], protocolError],
    ["8.1.1: a content-length that is no number", [headers(1, length("-1"))], protocolError],
  ];
  test.each(cases)("%s", (_name, sent, code) => {
    const peer = TestPeer.ready().send(...sent);
    expect(peer.reaction()).toEqual([`RST_STREAM 1 ${code}`]);
    expect(peer.session.isOver).toBe(false);
    expect(peer.session.streamCount).toBe(0);
    // The connection goes on, its header table too.
    peer.send(request(9));
    peer.requests.at(-1)?.answer("ok");
    expect(peer.frames().map(({ type }) => type)).toEqual([1, 0, 0]);
  });
});

describe("these are no mistakes", () => {
  const sameSettings = settingsFrame([SettingId.headerTableSize, 4_096], [0xff, 7]);
  const cases: readonly (readonly [string, readonly Buffer[]])[] = [
    ["4.1: an unknown frame type", [frame(0x16, { payload: filler(8) })]],
    ["4.1: flags that are not defined", [frame(6, { flags: 0x16, payload: filler(8) })]],
    ["4.1: the reserved bit", [frame(6, { stream: 0x8000_0000, payload: filler(8) })]],
    [
      "5.1: WINDOW_UPDATE and RST_STREAM on a closed stream",
      [opened(), rst(1), windowUpdate(1, 9), rst(1)],
    ],
    [
      "5.1: PRIORITY on idle and closed streams",
      [priorityFrame(21, 1), opened(), rst(1), priorityFrame(1, 3)],
    ],
    ["6.5: unknown settings, and the same once more", [sameSettings, sameSettings]],
    ["6.7: an acknowledgement of no ping", [frame(6, { flags: 1, payload: filler(8) })]],
    ["6.8: GOAWAY with an unknown code", [frame(7, { payload: uint32(0, 0xff) })]],
    [
      "6.4: RST_STREAM with an unknown code",
      [opened(), frame(3, { stream: 1, payload: uint32(0xff) })],
    ],
  ];
  test.each(cases)("%s", (_name, sent) => {
    const peer = TestPeer.ready().send(...sent, request(31));
    expect(peer.reaction()).toEqual([]);
    expect(peer.requests.at(-1)).toMatchObject({ isEnded: true });
  });
});

test("a request in pieces: padding, priority, CONTINUATIONs, body, trailers, byte by byte", () => {
  const all = block(requestFields);
  const bytes = Buffer.concat([
    preface,
    settingsFrame(),
    frame(1, {
      stream: 1,
      flags: padded | priority,
      payload: Buffer.concat([
        Buffer.from([3]),
        uint32(0),
        Buffer.from([9]),
        all.subarray(0, 10),
        filler(3),
      ]),
    }),
    continuation(1, all.subarray(10, 20), 0),
    continuation(1, all.subarray(20)),
    frame(0, { stream: 1, flags: padded, payload: Buffer.from("\x02hello\0\0") }),
    data(1, " world"),
    headers(1, [["x-checksum", "1"]]),
  ]);
  const peer = new TestPeer();
  for (const byte of bytes) peer.send(Uint8Array.of(byte));
  expect(peer.reaction()).toEqual([]);
  const [seen] = peer.requests;
  expect(seen).toMatchObject({ isEnded: true, resets: 0 });
  expect(seen?.body.toString()).toBe("hello world");
  expect(seen?.head).toMatchObject({ method: "POST", path: "/t.T/Ask", authority: "localhost" });
});

test("the preface: SETTINGS first, then both are acknowledged", () => {
  const peer = new TestPeer();
  expect(peer.frames()[0]).toMatchObject({ type: FrameType.settings, flags: 0, stream: 0 });
  peer.send(preface, request());
  expect(peer.reaction()).toEqual(["GOAWAY 1"]);
  const other = new TestPeer().send(Buffer.from("PRI * HTTP/2.0\r\n\r\nXX"));
  expect(other.reaction()).toEqual(["GOAWAY 1"]);
  const right = new TestPeer().send(preface, settingsFrame());
  expect(right.frames().at(-1)).toMatchObject({ type: FrameType.settings, flags: Flag.ack });
});

test("frames on a stream that we have reset are ignored, and its fields still count", () => {
  const peer = TestPeer.ready().send(opened());
  peer.requests[0]?.stream.reset(ErrorCode.noError);
  const added = Buffer.concat([Buffer.from([0x40]), Buffer.from("\x01a\x01b")]);
  peer.send(data(1, "late"), frame(1, { stream: 1, flags: whole, payload: added }));
  expect(peer.reaction()).toEqual(["RST_STREAM 1 0"]);
  const again = Buffer.concat([block(requestFields), Buffer.from([0xbe])]);
  peer.send(frame(1, { stream: 3, flags: whole, payload: again }));
  expect(peer.requests[1]?.head.fields).toEqual(["a", "b"]);
  expect(peer.requests[0]?.resets).toBe(0);
});
