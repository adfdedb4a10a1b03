/** The leader's questions after a difference: whom it asks, how often, and what it concludes. */

import { beforeEach, describe, expect, test } from "vitest";
import { KvError } from "../base/errors.js";
import { PeerMethod } from "../peers/codec.js";
import { encodeFingerprint } from "../state/fingerprint.js";
import { Inquiry, type InquiryResult } from "./inquiry.js";
import { fingerprintOf, HandClock, Others } from "./others.fixture.js";

const index = 40;
const roundMs = 100;
const { integrityEvidence, integritySelfCheck } = PeerMethod;
const corrupt = new KvError("corrupt");

let clock: HandClock;
let others: Others;
let findings: InquiryResult[];
let isSoundOurselves: boolean | undefined;
/** The last index at which each member was equal to us. */
let equalAt: Map<bigint, number>;

beforeEach(() => {
  clock = new HandClock();
  others = new Others();
  findings = [];
  isSoundOurselves = undefined;
  equalAt = new Map();
});

/** We are member 1 and have state 1. */
function inquire(voters: readonly bigint[], theirs?: { peer: bigint; state: number }): Inquiry {
  const known = { mine: fingerprintOf(index, 1) };
  const inquiry = new Inquiry(
    {
      ...{ clock, selfId: 1n, roundMs, request: others.request },
      voters: () => voters,
      isEqualSince: (id, at) => (equalAt.get(id) ?? 0) >= at,
      others: () => voters.filter((id) => id !== 1n),
      checkSelf: (done) => {
        if (isSoundOurselves !== undefined) done(isSoundOurselves);
      },
    },
    theirs === undefined
      ? known
      : { ...known, peer: theirs.peer, theirs: fingerprintOf(index, theirs.state) },
    (finding) => findings.push(finding),
  );
  inquiry.start();
  return inquiry;
}

function says(id: bigint, state: number, at = index): void {
  others.answer(id, integrityEvidence, encodeFingerprint(fingerprintOf(at, state)));
}

const told = () => findings.map(({ by, suspects }) => [by, ...suspects]);

describe("a strict majority", () => {
  test("decides as soon as it is there, once", () => {
    inquire([1n, 2n, 3n, 4n, 5n], { peer: 2n, state: 2 });
    expect(others.toldOf(integrityEvidence)).toEqual([3n, 4n, 5n]);
    says(3n, 1);
    expect(told()).toEqual([]);
    says(4n, 1);
    expect(told()).toEqual([["majority", 2n]]);
    says(5n, 2);
    clock.pass(100_000);
    expect(findings).toHaveLength(1);
  });

  test("may find that we are wrong", () => {
    inquire([1n, 2n, 3n], { peer: 2n, state: 2 });
    says(3n, 2);
    expect(told()).toEqual([["majority", 1n]]);
  });

  test("is not made by what is said of another index", () => {
    inquire([1n, 2n, 3n], { peer: 2n, state: 2 });
    says(3n, 1, index + 1);
    expect(told()).toEqual([]);
  });
});

test("who is silent is asked again, four times, before anybody reads its rows", () => {
  inquire([1n, 2n, 3n], { peer: 2n, state: 2 });
  clock.pass(3 * roundMs);
  expect(others.toldOf(integrityEvidence)).toEqual([3n, 3n, 3n, 3n]);
  expect(others.toldOf(integritySelfCheck)).toEqual([]);
  clock.pass(roundMs);
  expect(others.toldOf(integritySelfCheck)).toEqual([2n]);
});

describe("who no longer knows the index", () => {
  const forgotten = new KvError("compacted");

  test("counts for us if it was equal to us later", () => {
    equalAt.set(3n, index + 7);
    inquire([1n, 2n, 3n], { peer: 2n, state: 2 });
    others.answer(3n, integrityEvidence, forgotten);
    expect(told()).toEqual([["majority", 2n]]);
    expect([...(findings[0]?.evidence.keys() ?? [])]).toEqual([1n, 2n]);
  });

  test("counts for nobody if it was equal before, and is asked again", () => {
    equalAt.set(3n, index - 1);
    inquire([1n, 2n, 3n], { peer: 2n, state: 2 });
    others.answer(3n, integrityEvidence, forgotten);
    expect(told()).toEqual([]);
    equalAt.set(3n, index);
    clock.pass(roundMs);
    others.answer(3n, integrityEvidence, forgotten);
    expect(told()).toEqual([["majority", 2n]]);
  });
});

test("who admits to be wrong is not asked again", () => {
  inquire([1n, 2n, 3n], { peer: 2n, state: 2 });
  others.answer(3n, integrityEvidence, corrupt);
  clock.pass(3 * roundMs);
  expect(others.toldOf(integrityEvidence)).toEqual([3n]);
});

describe("without a majority each side proves its rows", () => {
  beforeEach(() => {
    isSoundOurselves = true;
  });

  test("who cannot is wrong", () => {
    inquire([1n, 2n], { peer: 2n, state: 2 });
    others.answer(2n, integritySelfCheck, Uint8Array.of(0));
    expect(told()).toEqual([["self-check", 2n]]);
  });

  test("we may be wrong ourselves", () => {
    isSoundOurselves = false;
    inquire([1n, 2n], { peer: 2n, state: 2 });
    others.answer(2n, integritySelfCheck, Uint8Array.of(1));
    expect(told()).toEqual([["self-check", 1n]]);
  });

  test("if both can, nobody knows", () => {
    inquire([1n, 2n], { peer: 2n, state: 2 });
    others.answer(2n, integritySelfCheck, Uint8Array.of(1));
    expect(told()).toEqual([["undecided"]]);
  });

  test("those that are left must agree, or nobody knows", () => {
    inquire([1n, 2n, 3n], { peer: 2n, state: 2 });
    says(3n, 3);
    others.answer(2n, integritySelfCheck, Uint8Array.of(1));
    others.answer(3n, integritySelfCheck, Uint8Array.of(0));
    expect(told()).toEqual([["undecided"]]);
  });

  test("who never says proves nothing, and is not called wrong", () => {
    inquire([1n, 2n], { peer: 2n, state: 2 });
    clock.pass(100 * roundMs);
    expect(told()).toEqual([["undecided"]]);
  });
});

test("an inquiry that was stopped says nothing", () => {
  const inquiry = inquire([1n, 2n, 3n], { peer: 2n, state: 2 });
  inquiry.stop();
  says(3n, 1);
  clock.pass(100_000);
  expect(findings).toEqual([]);
});
