/** Any node may step a message that passes: no code throws, and no number gets out of range. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeMessage, encodeMessage } from "./codec/message-codec.js";
import { bytes, entry, LoneNode, plain, voters } from "./fixtures/lone-node.fixture.js";
import { makeMessage } from "./message.js";
import { flawOf, indexMax, termJumpMax, termMax } from "./message-check.js";
import type { Entry, EntryType, Message, MessageType } from "./types.js";

const types: readonly MessageType[] = [
  "MsgHup",
  "MsgBeat",
  "MsgProp",
  "MsgApp",
  "MsgAppResp",
  "MsgVote",
  "MsgVoteResp",
  "MsgSnap",
  "MsgHeartbeat",
  "MsgHeartbeatResp",
  "MsgUnreachable",
  "MsgSnapStatus",
  "MsgCheckQuorum",
  "MsgTransferLeader",
  "MsgTimeoutNow",
  "MsgReadIndex",
  "MsgReadIndexResp",
  "MsgPreVote",
  "MsgPreVoteResp",
  "MsgForgetLeader",
];

/** Numbers mostly near the node's own, where a check may be off by one. */
const near = fc.nat(9);
const number = fc.oneof(
  { weight: 8, arbitrary: near },
  { weight: 1, arbitrary: fc.maxSafeNat() },
  {
    weight: 1,
    arbitrary: fc.constantFrom(1e9, 2 ** 31, 2 ** 32, 2 ** 52, Number.MAX_SAFE_INTEGER),
  },
);
const id = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(2n, 3n) },
  { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) },
);
const ids = fc.array(fc.bigInt({ min: 0n, max: 4n }), { maxLength: 4 });
const anyEntry: fc.Arbitrary<Entry> = fc.record({
  term: number,
  index: number,
  type: fc.constantFrom<EntryType>(0, 0, 1, 2),
  data: fc.uint8Array({ maxLength: 4 }),
});
const anyMessage: fc.Arbitrary<Message> = fc.record({
  type: fc.constantFrom(...types),
  from: id,
  to: fc.oneof({ weight: 9, arbitrary: fc.constant(1n) }, { weight: 1, arbitrary: id }),
  term: number,
  logTerm: number,
  index: number,
  commit: number,
  vote: number,
  reject: fc.boolean(),
  rejectHint: number,
  entries: fc.array(anyEntry, { maxLength: 3 }),
  snapshot: fc.option(
    fc.record({
      index: number,
      term: number,
      confState: fc.record({
        voters: ids,
        learners: ids,
        votersOutgoing: ids,
        learnersNext: ids,
        autoLeave: fc.boolean(),
      }),
    }),
    { nil: undefined, freq: 4 },
  ),
  context: number,
});

/**
 * A message as a member would send it: entries follow each other, and those of a proposal have no
 * index.
 */
const likely: fc.Arbitrary<Message> = fc
  .tuple(anyMessage, fc.array(near, { maxLength: 3 }))
  .map(([message, terms]) => {
    const isTermless = message.type === "MsgProp" || message.type === "MsgReadIndex";
    const entries = terms
      .sort((a, b) => a - b)
      .map((term, place) =>
        isTermless ? entry(0, 0, "x") : entry(term, message.index + 1 + place, "x"),
      );
    const isSnap = message.type === "MsgSnap";
    const confState = voters(1, 2, 3);
    const snapshot = isSnap
      ? { index: message.index, term: message.logTerm, confState }
      : undefined;
    return { ...message, entries, snapshot, term: isTermless ? 0 : message.term };
  });

type Step =
  | { readonly kind: "message"; readonly message: Message }
  | { readonly kind: "tick"; readonly count: number }
  | { readonly kind: "propose" }
  | { readonly kind: "read" }
  | { readonly kind: "elect" };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .oneof(anyMessage, likely)
      .map((message) => ({ kind: "message", message }) as const),
  },
  { weight: 1, arbitrary: fc.nat(15).map((count) => ({ kind: "tick", count }) as const) },
  { weight: 1, arbitrary: fc.constant({ kind: "propose" } as const) },
  { weight: 1, arbitrary: fc.constant({ kind: "read" } as const) },
  { weight: 2, arbitrary: fc.constant({ kind: "elect" } as const) },
);

function overTheWire(message: Message): Message | undefined {
  try {
    return decodeMessage(encodeMessage(message));
  } catch {
    return undefined;
  }
}

function take(node: LoneNode, message: Message): void {
  const received = overTheWire(message);
  if (received === undefined || flawOf(received, node.node) !== undefined) return;
  node.step({ kind: "received", message: received });
}

function run(node: LoneNode, steps: readonly Step[]): void {
  for (const next of steps) {
    const before = node.status();
    if (next.kind === "message") take(node, next.message);
    else if (next.kind === "tick") node.tick(next.count);
    else if (next.kind === "read") node.step({ kind: "readIndex", id: 1 });
    else if (next.kind === "elect") node.elect();
    else if (before.role === "leader") node.propose("x");
    const after = node.status();
    expect(after.term).toBeGreaterThanOrEqual(before.term);
    expect(after.term).toBeLessThanOrEqual(termMax + 100);
    expect(after.commit).toBeGreaterThanOrEqual(before.commit);
    expect(after.commit).toBeLessThanOrEqual(after.lastIndex);
    expect(after.lastIndex).toBeLessThanOrEqual(indexMax + 200);
  }
}

/** The checks do not look for forged acknowledgements: what a real member could send passes. */
describe("messages that nobody vouches for", () => {
  test.each([
    ["a voter", { terms: [1, 2, 3] }],
    [
      "a voter with pre-vote and quorum check",
      { terms: [1, 2, 3], preVote: true, checkQuorum: true },
    ],
    ["a learner", { confState: { ...plain, voters: [2n, 3n], learners: [1n] }, terms: [1, 2] }],
    ["a member of one", { confState: voters(1), terms: [1, 2] }],
  ])("%s bears them", (_name, options) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        run(new LoneNode(options), steps);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("the check", () => {
  const node = new LoneNode({ terms: [1, 2, 3] }).node;
  const flaw = (fields: Partial<Message> & Pick<Message, "type">) =>
    flawOf(makeMessage({ from: 2n, to: 1n, term: 3, ...fields }), node);

  test("passes what members send", () => {
    expect(flaw({ type: "MsgHeartbeat", commit: 4 })).toBeUndefined();
    expect(flaw({ type: "MsgApp", index: 9, logTerm: 3, commit: 1e9 })).toBeUndefined();
    expect(flaw({ type: "MsgVote", term: 3 + termJumpMax, logTerm: 3 })).toBeUndefined();
    const data = bytes("x");
    const entries = [{ term: 0, index: 0, type: 0 as const, data }];
    expect(flaw({ type: "MsgProp", term: 0, entries })).toBeUndefined();
  });

  test("names what is wrong with others", () => {
    expect(flaw({ type: "MsgVote", term: 4 + termJumpMax })).toBe("term_out_of_range");
    expect(flaw({ type: "MsgHeartbeat", term: Number.MAX_SAFE_INTEGER })).toBe("term_out_of_range");
    expect(flaw({ type: "MsgHeartbeat", from: 1n })).toBe("malformed");
    expect(flaw({ type: "MsgHeartbeat", to: 2n })).toBe("malformed");
    expect(flaw({ type: "MsgHeartbeat", term: 0 })).toBe("malformed");
    expect(flaw({ type: "MsgProp", term: 0 })).toBe("malformed");
    expect(flaw({ type: "MsgProp", entries: [entry(0, 0)] })).toBe("malformed");
    expect(flaw({ type: "MsgVote", logTerm: 4 })).toBe("malformed");
    expect(flaw({ type: "MsgForgetLeader" })).toBe("malformed");
    expect(flaw({ type: "MsgSnap" })).toBe("malformed");
    const confState = { ...voters(1, 2), learners: [2n] };
    expect(flaw({ type: "MsgSnap", snapshot: { index: 9, term: 3, confState } })).toBe("malformed");
    const far = { index: indexMax + 1, term: 3, confState: voters(1, 2) };
    expect(flaw({ type: "MsgSnap", snapshot: far })).toBe("malformed");
    expect(flaw({ type: "MsgSnap", snapshot: { ...far, index: indexMax } })).toBeUndefined();
  });

  test("a leader believes no acknowledgement of what it does not have, and no round it never asked", () => {
    const leader = new LoneNode({ terms: [1, 2, 3] }).elect();
    const { term, lastIndex } = leader.status();
    const far = makeMessage({ type: "MsgAppResp", from: 2n, to: 1n, term, index: lastIndex + 1 });
    expect(flawOf(far, leader.node)).toBe("index_beyond_log");
    leader.acknowledge(2n, lastIndex);
    leader.receive({ type: "MsgHeartbeatResp", from: 2n, context: Number.MAX_SAFE_INTEGER });
    leader.step({ kind: "readIndex", id: 5 });
    expect(leader.reads).toEqual([]);
    leader.receive({ type: "MsgHeartbeatResp", from: 2n, context: 1 });
    expect(leader.reads).toHaveLength(1);
  });
});
