/** The steps of healing: what each one needs, and what a failure leads to. */

import { beforeEach, describe, expect, test } from "vitest";
import { KvError } from "../../base/errors.js";
import { PeerMethod } from "../../peers/codec.js";
import { manifestBytes } from "../../snapshot/source.js";
import { encodeFingerprint } from "../../state/fingerprint.js";
import { encodeOtherLog, type OtherLog } from "../divergence/other-log.js";
import { decodeHealRequest, HealRequest } from "../heal-request.js";
import { indexOf } from "../inquiry.js";
import { fingerprintOf, HandClock, Others } from "../others.fixture.js";
import { Healer } from "./healer.js";

const index = 40;
const { healRequest, healOffer, integrityEvidence, integritySelfCheck } = PeerMethod;
const nothing = new Uint8Array(0);

let clock: HandClock;
let others: Others;
let voters: readonly bigint[];
let leader: bigint;
let term: number;
let appliedIndex: number;
let firstIndex: number;
let fetched: [bigint, number][];
let fetchError: Error | undefined;
let adoptError: Error | undefined;
let adopted: number[];
let otherLogs: OtherLog[];
let failedSteps: unknown[];
let healer: Healer;

function create(failures = 0): Healer {
  return new Healer(
    {
      ...{ clock, selfId: 1n, request: others.request },
      leader: () => leader,
      term: () => term,
      voters: () => voters,
      appliedIndex: () => appliedIndex,
      firstIndex: () => firstIndex,
      fetch: (from, at, done) => {
        fetched.push([from, at]);
        done(fetchError);
      },
      adopt: (_at, done) => done(adoptError),
      adopted: (at) => adopted.push(at),
      hasOtherLog: (otherLog) => otherLogs.push(otherLog),
      log: (level, _message, fields) => {
        if (level === "warn") failedSteps.push([fields.step, fields["retry-in-ms"]]);
      },
    },
    failures,
  );
}

beforeEach(() => {
  clock = new HandClock();
  others = new Others();
  voters = [1n, 2n, 3n];
  leader = 3n;
  term = 7;
  appliedIndex = 90;
  firstIndex = 20;
  fetched = [];
  fetchError = undefined;
  adoptError = undefined;
  adopted = [];
  otherLogs = [];
  failedSteps = [];
  healer = create();
});

function offer(state = 1): Uint8Array {
  const manifest = new Uint8Array(manifestBytes);
  new DataView(manifest.buffer).setFloat64(0, index, true);
  return Buffer.concat([manifest, encodeFingerprint(fingerprintOf(index, state))]);
}

/** The leader gives leave, and member `source` offers state 1. */
function begin(source = 2n): void {
  clock.pass(0);
  others.answer(leader, healRequest, nothing);
  others.answer(source, healOffer, offer());
}

function says(id: bigint, state: number): void {
  others.answer(id, integrityEvidence, encodeFingerprint(fingerprintOf(index, state)));
}

test("leave, an offer, a majority that has the same: then it is fetched and put in use", () => {
  healer.start();
  begin();
  const [leave, , question] = others.asked;
  expect(decodeHealRequest(leave?.body as Uint8Array)).toEqual({
    ...{ kind: HealRequest.mayHeal, index: 90 },
  });
  expect([question?.to, indexOf(question?.body as Uint8Array)]).toEqual([3n, index]);
  expect(fetched).toEqual([]);
  says(3n, 1);
  expect([fetched, adopted, failedSteps]).toEqual([[[2n, index]], [index], []]);
  clock.pass(100_000);
  expect(others.toldOf(healRequest)).toEqual([3n]);
});

test("a member whose log belongs to another history is told so, and asks no more", () => {
  const point = (index: number, term: number) => ({ index, term });
  const otherLog: OtherLog = { first: 70, last: point(88, 6), leaderEnd: point(120, 7) };
  healer.start();
  clock.pass(0);
  others.answer(leader, healRequest, encodeOtherLog(otherLog));
  clock.pass(100_000);
  expect([otherLogs, fetched, failedSteps]).toEqual([[otherLog], [], []]);
  expect(others.asked).toHaveLength(1);
});

describe("nothing is fetched", () => {
  const fails = (step: string): void => {
    expect([fetched, adopted, failedSteps]).toEqual([[], [], [[step, 500]]]);
  };
  beforeEach(() => healer.start());

  test("without another member that leads", () => {
    leader = 1n;
    clock.pass(0);
    fails("find the leader");
    expect(others.asked).toEqual([]);
  });

  test("without leave", () => {
    clock.pass(0);
    others.answer(3n, healRequest, new KvError("unhealthyCluster"));
    fails("ask the leader for leave");
  });

  test("if the fingerprint is of another index than the state", () => {
    clock.pass(0);
    others.answer(3n, healRequest, nothing);
    const body = offer();
    new DataView(body.buffer, body.byteOffset).setFloat64(0, index + 1, true);
    others.answer(2n, healOffer, body);
    fails("ask a member for its state");
  });

  test("if no majority has that state", () => {
    begin();
    says(3n, 2);
    fails("confirm the state");
  });

  test("if our log begins after it", () => {
    firstIndex = index + 2;
    begin();
    says(3n, 1);
    fails("fit the state to the log");
  });

  test("if another member leads since leave was given", () => {
    begin();
    term++;
    says(3n, 1);
    fails("fetch the state");
  });

  test("if the stand-in does not get so far within five seconds", () => {
    appliedIndex = index - 1;
    begin();
    says(3n, 1);
    clock.pass(5_100);
    expect([fetched, failedSteps]).toEqual([[], [["wait for the log", 500]]]);
  });
});

test("it is fetched when the stand-in has got so far", () => {
  appliedIndex = index - 1;
  healer.start();
  begin();
  says(3n, 1);
  clock.pass(1_000);
  expect(fetched).toEqual([]);
  appliedIndex = index;
  clock.pass(20);
  expect(adopted).toEqual([index]);
});

describe("if all others that could confirm know to be wrong", () => {
  beforeEach(() => {
    healer.start();
    begin();
    others.answer(3n, integrityEvidence, new KvError("corrupt"));
    expect(others.toldOf(integritySelfCheck)).toEqual([2n]);
  });

  test("a source that proves its rows is enough", () => {
    others.answer(2n, integritySelfCheck, Uint8Array.of(1));
    expect(adopted).toEqual([index]);
  });

  test("one that cannot is not", () => {
    others.answer(2n, integritySelfCheck, Uint8Array.of(0));
    expect([fetched, failedSteps]).toEqual([[], [["confirm the state", 500]]]);
  });
});

test("of five, three must have it: a source and one more are not enough", () => {
  voters = [1n, 2n, 3n, 4n, 5n];
  healer.start();
  begin();
  says(3n, 1);
  expect(fetched).toEqual([]);
  says(4n, 2);
  others.answer(5n, integrityEvidence, new KvError("corrupt"));
  expect([fetched, failedSteps]).toEqual([[], [["confirm the state", 500]]]);
});

test.each(["fetch the state", "put the state in use"])(
  "if it fails to %s, the next source",
  (step) => {
    if (step === "fetch the state") fetchError = new Error("gone");
    else adoptError = new Error("gone");
    healer.start();
    begin();
    says(3n, 1);
    expect([adopted, failedSteps]).toEqual([[], [[step, 500]]]);
    fetchError = undefined;
    adoptError = undefined;
    clock.pass(499);
    expect(others.toldOf(healRequest)).toEqual([3n]);
    clock.pass(1);
    begin(3n);
    expect(others.toldOf(healOffer)).toEqual([2n, 3n]);
    says(2n, 1);
    expect(adopted).toEqual([index]);
  },
);

test("pauses double, up to a minute, and go on from earlier quarantines", () => {
  leader = 0n;
  create(3).start();
  clock.pass(1_999);
  expect(failedSteps).toEqual([]);
  clock.pass(150_000);
  expect(failedSteps.map((failed) => (failed as unknown[])[1])).toEqual([
    ...[4_000, 8_000, 16_000, 32_000, 60_000, 60_000],
  ]);
});

test("a healer that was stopped goes no further, whatever is answered", () => {
  healer.start();
  begin();
  healer.stop();
  says(3n, 1);
  clock.pass(100_000);
  expect([fetched, failedSteps, others.toldOf(healRequest)]).toEqual([[], [], [3n]]);
});
