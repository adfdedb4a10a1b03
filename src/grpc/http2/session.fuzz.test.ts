/**
 * Sessions that are valid, then damaged: whatever comes, the session answers with frames that are
 * well formed, tells each handler at most one end, and does not care how the bytes were cut.
 * `LOCKSTEP_FUZZ_RUNS` runs more of them. What once broke the session stands in testdata/corpus.json,
 * as name and hexadecimal bytes behind the preface.
 */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ErrorCode, Flag, FrameType, preface } from "./constants.js";
import { integer, literal } from "./hpack/hpack.fixture.js";
import {
  block,
  frame,
  requestFields,
  type Seen,
  type SeenFrame,
  settingsFrame,
  TestPeer,
  uint32,
} from "./peer.fixture.js";

const runs = Number(process.env.LOCKSTEP_FUZZ_RUNS ?? 400);

const streamId = fc.integer({ min: 0, max: 6 }).map((at) => 2 * at + 1);
const bytes = (maxLength: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
const field = fc.oneof(
  fc.constantFrom(block(requestFields), integer(0x80, 7, 2), integer(0x80, 7, 62)),
  fc
    .tuple(
      fc.stringMatching(/^[a-z-]{1,12}$/),
      fc.string({ maxLength: 30 }),
      fc.boolean(),
      fc.boolean(),
    )
    .map(([name, value, isAdded, isHuffman]) => literal(name, value, { isAdded, isHuffman })),
  fc.constantFrom(0, 100, 4_096, 5_000).map((size) => integer(0x20, 5, size)),
);
const fields = fc.oneof(
  { weight: 3, arbitrary: fc.constant(block(requestFields)) },
  fc.array(field, { maxLength: 4 }).map((all) => Buffer.concat([block(requestFields), ...all])),
  fc.array(field, { maxLength: 4 }).map((all) => Buffer.concat(all)),
);

/** A request in one HEADERS frame or several, with a body or none. */
const request = fc
  .tuple(streamId, fields, fc.nat(3), fc.array(bytes(40), { maxLength: 3 }), fc.boolean())
  .map(([stream, payload, cuts, body, isEnded]) => {
    const parts: Buffer[] = [];
    const size = Math.ceil(payload.length / (cuts + 1)) || 1;
    for (let at = 0; at === 0 || at < payload.length; at += size) {
      const isLast = at + size >= payload.length;
      const end = isLast ? Flag.endHeaders : 0;
      const flags = at === 0 && body.length === 0 && isEnded ? end | Flag.endStream : end;
      const type = at === 0 ? FrameType.headers : FrameType.continuation;
      parts.push(frame(type, { stream, flags, payload: payload.subarray(at, at + size) }));
    }
    for (const [at, payload] of body.entries()) {
      const flags = isEnded && at === body.length - 1 ? Flag.endStream : 0;
      parts.push(frame(FrameType.data, { stream, flags, payload }));
    }
    return Buffer.concat(parts);
  });

const other = fc.oneof(
  fc
    .tuple(streamId, fc.nat(70_000))
    .map(([stream, by]) =>
      frame(FrameType.windowUpdate, { stream: stream === 13 ? 0 : stream, payload: uint32(by) }),
    ),
  streamId.map((stream) => frame(FrameType.rstStream, { stream, payload: uint32(8) })),
  fc
    .array(fc.tuple(fc.integer({ min: 1, max: 8 }), fc.nat(100_000)), { maxLength: 3 })
    .map((entries) => settingsFrame(...entries)),
  fc
    .tuple(fc.nat(1), bytes(9))
    .map(([flags, payload]) => frame(FrameType.ping, { flags, payload })),
  fc
    .tuple(streamId, bytes(6))
    .map(([stream, payload]) => frame(FrameType.priority, { stream, payload })),
  fc
    .tuple(fc.nat(255), fc.nat(255), streamId, bytes(30))
    .map(([type, flags, stream, payload]) => frame(type, { flags, stream, payload })),
);

/** Frames, most of them sound; then a few places where octets change, vanish or come twice. */
const input = fc
  .tuple(
    fc.array(fc.oneof({ weight: 3, arbitrary: request }, other), { maxLength: 12 }),
    fc.array(fc.tuple(fc.nat(), fc.constantFrom("set", "flip", "cut", "twice"), fc.nat(255)), {
      maxLength: 3,
    }),
  )
  .map(([frames, damages]) => {
    let all = Buffer.concat([settingsFrame(), ...frames]);
    for (const [place, kind, value] of damages) {
      if (all.length === 0) break;
      const at = place % all.length;
      if (kind === "set") all[at] = value;
      else if (kind === "flip") all[at] = (all[at] as number) ^ (1 << (value & 7));
      else if (kind === "cut")
        all = Buffer.concat([all.subarray(0, at), all.subarray(at + 1 + (value & 15))]);
      else all = Buffer.concat([all.subarray(0, at), all.subarray(Math.max(0, at - value))]);
    }
    return all;
  });

/** Answers what is complete, by rules that depend on nothing but the stream. */
function onRequest(seen: Seen): void {
  const { id } = seen.stream;
  if (id % 3 === 0) seen.answer(Buffer.alloc((id % 50) * 3_000));
  if (id % 5 === 0) seen.stream.reset(ErrorCode.cancel);
}

function run(sent: Buffer, cuts: readonly number[]): { frames: SeenFrame[]; peer: TestPeer } {
  const peer = new TestPeer({ onRequest });
  peer.send(preface);
  let at = 0;
  for (const cut of cuts) {
    peer.send(sent.subarray(at, at + cut));
    at += cut;
  }
  peer.send(sent.subarray(at));
  return { frames: peer.frames(), peer };
}

function check(sent: Buffer, cuts: readonly number[]): void {
  const { frames, peer } = run(sent, cuts);
  const { frames: whole } = run(sent, []);
  expect(frames).toEqual(whole);
  const goaways = frames.filter(({ type }) => type === FrameType.goaway);
  expect(goaways).toHaveLength(peer.session.isOver ? 1 : 0);
  if (peer.session.isOver) expect(frames.at(-1)?.type).toBe(FrameType.goaway);
  for (const { type, payload, stream } of frames) {
    expect(payload.length).toBeLessThanOrEqual(65_536);
    if (type === FrameType.data || type === FrameType.headers) expect(stream % 2).toBe(1);
  }
  const told = peer.requests.map(({ resets, isEnded }) => [resets, isEnded] as const);
  expect(told.every(([resets]) => resets <= 1)).toBe(true);
  const before = JSON.stringify(told);
  peer.session.close();
  peer.session.close();
  const { requests } = peer;
  expect(peer.session.streamCount).toBe(0);
  expect(requests.every(({ resets }) => resets <= 1)).toBe(true);
  // Who was neither answered nor reset by its handler hears that it is over.
  const waiting = requests.filter(({ stream: { id } }) => id % 3 !== 0 && id % 5 !== 0);
  expect(waiting.every(({ resets }) => resets === 1)).toBe(true);
  if (goaways.length > 0) {
    expect(JSON.stringify(requests.map(({ resets, isEnded }) => [resets, isEnded]))).toBe(before);
  }
}

test("any damaged session", { timeout: 300_000 }, () => {
  fc.assert(
    fc.property(input, fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 30 }), check),
    { numRuns: runs },
  );
});

test("noise", { timeout: 300_000 }, () => {
  fc.assert(
    fc.property(bytes(400), fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 30 }), check),
    { numRuns: runs },
  );
});

describe("the corpus", () => {
  const file = new URL("./testdata/corpus.json", import.meta.url);
  const corpus = JSON.parse(readFileSync(file, "utf8")) as Readonly<Record<string, string>>;
  test.each(Object.entries(corpus))("%s", (_name, hex) => {
    const sent = Buffer.from(hex, "hex");
    check(sent, []);
    check(
      sent,
      Array.from({ length: sent.length }, () => 1),
    );
  });
});
