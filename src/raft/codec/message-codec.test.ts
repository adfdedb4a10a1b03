import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { makeMessage } from "../message.js";
import type { Entry, EntryType, Message, MessageType } from "../types.js";
import { MessageFormatError } from "./byte-reader.js";
import { decodeMessage, encodeMessage } from "./message-codec.js";

const number = fc.oneof(
  fc.nat(300),
  fc.maxSafeNat(),
  fc.constantFrom(127, 128, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 49, Number.MAX_SAFE_INTEGER),
);
const id = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const ids = fc.array(id, { maxLength: 4 });
const entry: fc.Arbitrary<Entry> = fc.record({
  term: number,
  index: number,
  type: fc.constantFrom<EntryType>(0, 1, 2),
  data: fc.uint8Array({ maxLength: 40 }),
});
const snapshot = fc.record({
  index: number,
  term: number,
  confState: fc.record({
    voters: ids,
    learners: ids,
    votersOutgoing: ids,
    learnersNext: ids,
    autoLeave: fc.boolean(),
  }),
});
const message: fc.Arbitrary<Message> = fc.record({
  type: fc.constantFrom<MessageType>("MsgProp", "MsgSnap", "MsgPreVoteResp", "MsgForgetLeader"),
  from: id,
  to: id,
  term: number,
  logTerm: number,
  index: number,
  commit: number,
  vote: number,
  reject: fc.boolean(),
  rejectHint: number,
  entries: fc.array(entry, { maxLength: 5 }),
  snapshot: fc.option(snapshot, { nil: undefined }),
  context: number,
});

/** The decoded message. Any error except the typed one fails the test. */
function tryDecode(bytes: Uint8Array): Message | undefined {
  try {
    return decodeMessage(bytes);
  } catch (error) {
    if (!(error instanceof MessageFormatError)) throw error;
    return undefined;
  }
}

describe("message codec", () => {
  test("a message survives, whatever its fields", () => {
    fc.assert(
      fc.property(message, (m) => {
        expect(decodeMessage(encodeMessage(m))).toEqual(m);
      }),
    );
  });

  test("every cut of a message is refused", () => {
    fc.assert(
      fc.property(
        message,
        fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
        (m, at) => {
          const bytes = encodeMessage(m);
          const cut = bytes.subarray(0, Math.floor(bytes.length * at));
          expect(() => decodeMessage(cut)).toThrow(MessageFormatError);
        },
      ),
    );
  });

  test("garbage is refused with the typed error, or is a message that encodes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
        const decoded = tryDecode(bytes);
        if (decoded !== undefined) expect(decodeMessage(encodeMessage(decoded))).toEqual(decoded);
      }),
      { numRuns: 2_000 },
    );
  });

  test("a changed byte never breaks the decoder", () => {
    fc.assert(
      fc.property(message, fc.nat(), fc.integer({ min: 1, max: 255 }), (m, at, flip) => {
        const bytes = Uint8Array.from(encodeMessage(m));
        const place = at % bytes.length;
        bytes[place] = (bytes[place] as number) ^ flip;
        tryDecode(bytes);
      }),
      { numRuns: 2_000 },
    );
  });

  test("a huge count costs nothing: it is checked against the bytes that are left", () => {
    const bytes = Uint8Array.from(encodeMessage(makeMessage({ type: "MsgProp", to: 1n })));
    // The count of entries is the last byte of a message without snapshot.
    const huge = new Uint8Array([...bytes.subarray(0, -1), 255, 255, 255, 255, 255, 255, 255, 15]);
    expect(() => decodeMessage(huge)).toThrow(MessageFormatError);
  });

  test("entries of MsgApp must continue its index", () => {
    const data = new Uint8Array(0);
    const at = (index: number): Entry => ({ term: 2, index, type: 0, data });
    const app = { type: "MsgApp", to: 1n, term: 2, logTerm: 1, index: 6 } as const;
    const good = makeMessage({ ...app, entries: [at(7), at(8)] });
    expect(decodeMessage(encodeMessage(good))).toEqual(good);
    const gap = encodeMessage(makeMessage({ ...app, entries: [at(7), at(9)] }));
    expect(() => decodeMessage(gap)).toThrow(MessageFormatError);
  });
});
