/** The leader's part: when a difference becomes a verdict in the log, and whom it lets heal. */

import { beforeEach, describe, expect, test } from "vitest";
import { KvError } from "../base/errors.js";
import { PeerMethod } from "../peers/codec.js";
import { digestVersion } from "../state/digest.js";
import { encodeFingerprint } from "../state/fingerprint.js";
import type { AlarmRecord, MachineReader } from "../state/types.js";
import { IntegrityVerdictRequest, IntegrityVerdictRequest_Kind } from "../wire/gen/internal.js";
import { RequestField } from "../wire/proposal.js";
import { Arbiter } from "./arbiter.js";
import { Comparison } from "./comparison.js";
import { FingerprintRing } from "./fingerprint-ring.js";
import { HealRequest } from "./heal-request.js";
import { type InquiryResult, indexOf } from "./inquiry.js";
import { fingerprintOf, HandClock, Others } from "./others.fixture.js";

const electionMs = 1_000;
const index = 40;
const voters = [1n, 2n, 3n];

let clock: HandClock;
let others: Others;
let ring: FingerprintRing;
let comparison: Comparison;
let arbiter: Arbiter;
let isLeader: boolean;
let alarms: Pick<AlarmRecord, "memberId" | "alarm" | "isContained">[];
let proposed: [RequestField, ...unknown[]][];
let found: [InquiryResult["by"], boolean][];

function create(stopsCluster = false): Arbiter {
  return new Arbiter({
    ...{ clock, selfId: 1n, electionMs, comparison, stopsCluster, request: others.request },
    isLeader: () => isLeader,
    machine: () =>
      ({
        appliedIndex: 50,
        confState: { voters },
        alarms: () => alarms,
        cluster: {
          members: () => voters.map((id) => ({ id })),
          member: (id: bigint) => (voters.includes(id) ? { id } : undefined),
        },
      }) as unknown as MachineReader,
    proposeAsLeader: (field, body) => {
      if (field !== RequestField.integrityVerdict) {
        proposed.push([field]);
        return;
      }
      const verdict = IntegrityVerdictRequest.decode(body);
      expect(verdict.voters).toEqual(voters);
      proposed.push([field, verdict.kind, verdict.member_ID, Number(verdict.index)]);
    },
    checkSelf: (done) => done(true),
    found: ({ by }, isOurs) => found.push([by, isOurs]),
  });
}

beforeEach(() => {
  clock = new HandClock();
  others = new Others();
  ring = new FingerprintRing();
  comparison = new Comparison(ring, { differs: () => {}, equal: () => {} });
  isLeader = true;
  alarms = [];
  proposed = [];
  found = [];
  arbiter = create();
});

const verdict = (kind: IntegrityVerdictRequest_Kind, member: bigint, at: number) => [
  ...[RequestField.integrityVerdict, kind, member, at],
];
const { CONTAIN, CLEAR, PROBE } = IntegrityVerdictRequest_Kind;

/** Member 2 differs from us, and member 3 has `state`. */
function investigate(state: number): void {
  const mine = fingerprintOf(index, 1);
  arbiter.investigate({ mine, peer: 2n, theirs: fingerprintOf(index, 2) });
  const theirs = encodeFingerprint(fingerprintOf(index, state));
  others.answer(3n, PeerMethod.integrityEvidence, theirs);
}

/** Member `id` has the same state as we at index 50. */
function seenEqual(id: bigint): void {
  ring.record(fingerprintOf(50, 1));
  comparison.received(id, { ...fingerprintOf(50, 1), version: digestVersion });
}

describe("a finding", () => {
  test("becomes a verdict in the log, and the wrong member is told at once", () => {
    investigate(1);
    expect(proposed).toEqual([verdict(CONTAIN, 2n, index)]);
    expect(found).toEqual([["majority", false]]);
    expect(others.toldOf(PeerMethod.integrityContain)).toEqual([2n]);
    expect(indexOf(others.asked.at(-1)?.body as Uint8Array)).toBe(index);
  });

  test("is proposed again only if the first verdict seems lost", () => {
    investigate(1);
    expect(arbiter.isNews(2n)).toBe(false);
    clock.pass(2 * electionMs);
    expect(arbiter.isNews(2n)).toBe(true);
    alarms = [{ memberId: 2n, alarm: "CORRUPT", isContained: true }];
    expect(arbiter.isNews(2n)).toBe(false);
  });

  test("that we are wrong is left to the next leader to propose", () => {
    investigate(2);
    expect(proposed).toEqual([]);
    expect(found).toEqual([["majority", true]]);
  });

  test("raises etcd's alarm before the verdict, if that is configured", () => {
    arbiter = create(true);
    investigate(1);
    expect(proposed).toEqual([[RequestField.alarm], verdict(CONTAIN, 2n, index)]);
  });

  test("of nothing stops the cluster; ten election timeouts pass before the next inquiry", () => {
    investigate(3);
    others.answer(2n, PeerMethod.integritySelfCheck, Uint8Array.of(1));
    others.answer(3n, PeerMethod.integritySelfCheck, Uint8Array.of(1));
    expect(found).toEqual([["undecided", false]]);
    expect(proposed).toEqual([verdict(CONTAIN, 0n, index)]);
    clock.pass(10 * electionMs - 1);
    investigate(1);
    expect(arbiter.isInquiring()).toBe(false);
    clock.pass(1);
    investigate(1);
    expect(found.at(-1)).toEqual(["majority", false]);
  });
});

test("a follower looks into nothing and judges nobody", () => {
  isLeader = false;
  investigate(1);
  arbiter.contradicted(2n, index);
  expect(arbiter.handleRequest(2n, HealRequest.mayHeal, 9)?.reason).toBe("notLeader");
  expect([others.asked, proposed, arbiter.isNews(2n)]).toEqual([[], [], false]);
});

test("another leader's inquiry ends with its term", () => {
  arbiter.investigate({ mine: fingerprintOf(index, 1) });
  expect(arbiter.isInquiring()).toBe(true);
  arbiter.leaderChanged();
  expect(arbiter.isInquiring()).toBe(false);
});

describe("leave to heal", () => {
  const mayHeal = (id: bigint): KvError | undefined =>
    arbiter.handleRequest(id, HealRequest.mayHeal, 30);

  test("goes to one at a time, until nothing was heard of it for 30 s", () => {
    expect(mayHeal(2n)).toBeUndefined();
    expect(mayHeal(3n)?.reason).toBe("unhealthyCluster");
    clock.pass(20_000);
    expect(mayHeal(2n)).toBeUndefined();
    clock.pass(29_999);
    expect(mayHeal(3n)?.reason).toBe("unhealthyCluster");
    clock.pass(1);
    expect(mayHeal(3n)).toBeUndefined();
  });

  test("puts a member into the log that found out alone", () => {
    mayHeal(2n);
    expect(proposed).toEqual([verdict(CONTAIN, 2n, 30)]);
    mayHeal(2n);
    expect(proposed).toHaveLength(1);
  });
});

describe("the end", () => {
  test("a probe is an entry to compare at, no more", () => {
    arbiter.handleRequest(2n, HealRequest.probe, 45);
    expect(proposed).toEqual([verdict(PROBE, 2n, 45)]);
  });

  test("only who was seen to be equal here, too, at that index, is cleared", () => {
    const clear = (at: number): KvError | undefined =>
      arbiter.handleRequest(2n, HealRequest.clear, at);
    expect(clear(50)?.reason).toBe("unhealthyCluster");
    seenEqual(2n);
    expect(clear(51)?.reason).toBe("unhealthyCluster");
    expect(proposed).toEqual([]);
    expect(clear(50)).toBeUndefined();
    expect(proposed).toEqual([verdict(CLEAR, 2n, 50)]);
  });

  test("of one member's incident leaves another one the leave it was given meanwhile", () => {
    const clear = (): KvError | undefined => arbiter.handleRequest(2n, HealRequest.clear, 50);
    const mayHeal = (id: bigint): KvError | undefined =>
      arbiter.handleRequest(id, HealRequest.mayHeal, 50);
    mayHeal(2n);
    seenEqual(2n);
    clear();
    expect(mayHeal(3n)).toBeUndefined();
    // Member 2 asks until it has applied that it is cleared. Then its state goes wrong again.
    clear();
    expect(mayHeal(2n)?.reason).toBe("unhealthyCluster");
  });

  test("a stopped cluster goes on when a majority is equal since", () => {
    arbiter.equal();
    alarms = [{ memberId: 0n, alarm: "CORRUPT", isContained: true }];
    arbiter.equal();
    expect(proposed).toEqual([]);
    seenEqual(3n);
    arbiter.equal();
    arbiter.equal();
    expect(proposed).toEqual([verdict(CLEAR, 0n, 50)]);
  });
});

test("a request of a kind that is not known is refused", () => {
  expect(arbiter.handleRequest(2n, 99, 1)).toBeInstanceOf(KvError);
});
