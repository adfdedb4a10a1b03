/** Messages that come in pieces: what they hold, and how many round trips they take. */
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Status } from "../call.js";
import { Flag, FrameType } from "../http2/constants.js";
import { data, headers, requestFields, TestPeer } from "../http2/peer.fixture.js";
import { MessageBudget } from "./message-budget.js";
import { MessageReader } from "./message-reader.js";
import { SharedBudget } from "./shared-budget.js";

const streamWindow = 65_535;
const limits = { unfinishedBytesMax: 200_000, largeMessageBytesMax: 3_000_000 };

const sharedLimits = { allUnfinishedBytesMax: 1e9, allWaitingBytesHigh: 1e9, fairBytes: 1_000 };

/** A connection whose streams read messages, and a client that sends as its windows allow. */
class Link {
  readonly budget = new MessageBudget(limits, new SharedBudget(sharedLimits));
  readonly messages: number[] = [];
  readonly faults: Status[] = [];
  readonly peer: TestPeer;
  readonly #windows = new Map<number, number>();
  readonly #left = new Map<number, Buffer>();

  constructor() {
    this.peer = TestPeer.ready({
      onRequest: (seen) => {
        const sink = {
          handleMessage: (message: Uint8Array) => this.messages.push(message.length),
          handleFault: (status: Status) => this.faults.push(status),
        };
        const rules = { bytesMax: 2_000_000, streamWindow, budget: this.budget };
        const reader = new MessageReader(seen.stream, sink, rules, false);
        seen.handleData = (bytes, start, end) => reader.read(bytes, start, end);
        seen.handleReset = () => reader.close();
      },
    });
    this.#windows.set(0, 4 * 1_024 * 1_024);
  }

  /** A message of so many bytes on a new stream; of them only the first `sent` are ever sent. */
  open(stream: number, bytes: number, sent = bytes): void {
    const prefix = Buffer.from([0, 0, 0, 0, 0]);
    prefix.writeUInt32BE(bytes, 1);
    this.#windows.set(stream, streamWindow);
    this.#left.set(stream, Buffer.concat([prefix, Buffer.alloc(sent)]));
    this.peer.send(headers(stream, requestFields, Flag.endHeaders));
  }

  /** All that the windows allow goes there, and the answers come back. */
  roundTrip(): void {
    for (const [stream, left] of this.#left) {
      let rest = left;
      for (;;) {
        const windows = [this.#windows.get(stream) ?? 0, this.#windows.get(0) ?? 0];
        const bytes = Math.min(rest.length, 16_384, ...windows);
        if (bytes === 0) break;
        this.peer.send(data(stream, rest.subarray(0, bytes)));
        for (const id of [0, stream]) this.#windows.set(id, (this.#windows.get(id) ?? 0) - bytes);
        rest = rest.subarray(bytes);
      }
      this.#left.set(stream, rest);
    }
    for (const { type, stream, payload } of this.peer.frames()) {
      if (type !== FrameType.windowUpdate) continue;
      this.#windows.set(stream, (this.#windows.get(stream) ?? 0) + payload.readUInt32BE());
    }
  }
}

describe("round trips", () => {
  test("a message of 1 MB needs two, however far away the client is", () => {
    const link = new Link();
    for (const at of [0, 1, 2, 3, 4]) {
      link.open(2 * at + 1, 1_000_000);
      for (let trip = 0; trip < 2; trip++) link.roundTrip();
      expect(link.messages).toHaveLength(at + 1);
    }
    expect(link.faults).toEqual([]);
  });

  test("large messages wait for each other, and all arrive", () => {
    const link = new Link();
    for (let at = 0; at < 20; at++) link.open(2 * at + 1, 1_400_000);
    let trips = 0;
    while (link.messages.length < 20 && trips < 100) {
      link.roundTrip();
      trips++;
    }
    // Those that wait hold more than is allowed beside those that may go on: they are refused.
    expect(link.messages.length + link.faults.length).toBe(20);
    expect(link.messages.length).toBeGreaterThanOrEqual(4);
  });
});

describe("memory", () => {
  test("unfinished messages hold no more than their budget, then the newest are refused", () => {
    const link = new Link();
    for (let at = 0; at < 20; at++) link.open(2 * at + 1, 60_000, 20_000);
    for (let trip = 0; trip < 3; trip++) link.roundTrip();
    expect(link.messages).toEqual([]);
    expect(link.faults).toHaveLength(10);
    expect(link.faults[0]).toMatchObject({ code: 8 });
  });

  test("a message that has leave and never comes keeps only its own connection waiting", () => {
    const link = new Link();
    link.open(1, 1_900_000, 100_000);
    link.open(3, 1_900_000, 100_000);
    link.open(5, 60_000);
    for (let trip = 0; trip < 3; trip++) link.roundTrip();
    expect(link.messages).toEqual([60_000]);
    link.open(7, 1_000_000);
    for (let trip = 0; trip < 3; trip++) link.roundTrip();
    expect(link.messages).toEqual([60_000]);
    link.peer.requests[0]?.handleReset();
    for (let trip = 0; trip < 3; trip++) link.roundTrip();
    expect(link.messages).toEqual([60_000, 1_000_000]);
  });

  test("with too much on all connections together, each is held to its share", () => {
    const shared = new SharedBudget({ ...sharedLimits, allUnfinishedBytesMax: 250_000 });
    const [greedy, modest] = [1, 2].map(() => new MessageBudget(limits, shared));
    const leaves: number[] = [];
    const large = (bytes: number) => ({ bytes, onLeave: () => leaves.push(bytes) });
    const first = large(200_000);
    greedy?.ask(first);
    expect(greedy?.hold(50_000)).toBe(true);
    expect(greedy?.hold(1)).toBe(false);
    // One that holds little goes on, and each may have one large message.
    expect(modest?.hold(900)).toBe(true);
    greedy?.ask(large(1_001));
    modest?.ask(large(1_002));
    expect(leaves).toEqual([200_000, 1_002]);
    greedy?.release(first, true);
    expect(leaves).toEqual([200_000, 1_002, 1_001]);
    expect(greedy?.hold(0)).toBe(true);
  });

  test("what was announced is not allocated before it comes", () => {
    const before = process.memoryUsage().arrayBuffers;
    const link = new Link();
    for (let at = 0; at < 1_000; at++) link.open(2 * at + 1, 1_900_000, 10);
    link.roundTrip();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000);
  });
});

test("messages are what was sent, however the body is cut, compressed or not", () => {
  const sizes = fc.array(fc.tuple(fc.nat(5_000), fc.boolean()), { maxLength: 8 });
  const cuts = fc.array(fc.integer({ min: 1, max: 4_000 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(sizes, cuts, (messages, pieces) => {
      const got: string[] = [];
      const budget = new MessageBudget(limits, new SharedBudget(sharedLimits));
      let body = Buffer.alloc(0);
      const sent = messages.map(([bytes, isGzip], at) => {
        const plain = Buffer.alloc(bytes, at + 1);
        const packed = isGzip ? gzipSync(plain) : plain;
        const prefix = Buffer.from([isGzip ? 1 : 0, 0, 0, 0, 0]);
        prefix.writeUInt32BE(packed.length, 1);
        body = Buffer.concat([body, prefix, packed]);
        return plain.toString("latin1");
      });
      let reader: MessageReader | undefined;
      const peer = TestPeer.ready({
        onRequest: (seen) => {
          const sink = {
            handleMessage: (message: Uint8Array) =>
              got.push(Buffer.from(message).toString("latin1")),
            handleFault: (status: Status) => got.push(status.message),
          };
          const made = new MessageReader(
            seen.stream,
            sink,
            { bytesMax: 5_000, streamWindow, budget },
            true,
          );
          reader = made;
          seen.handleData = (bytes, start, end) => made.read(bytes, start, end);
        },
      });
      peer.send(headers(1, requestFields, Flag.endHeaders));
      for (let at = 0, turn = 0; at < body.length; turn++) {
        const bytes = pieces[turn % pieces.length] as number;
        peer.send(data(1, body.subarray(at, at + bytes)));
        at += bytes;
      }
      expect(got).toEqual(sent);
      expect(reader?.isAmid).toBe(false);
      // Nothing is held any more.
      expect(budget.hold(limits.unfinishedBytesMax)).toBe(true);
    }),
    { numRuns: 100 },
  );
});
