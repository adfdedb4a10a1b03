/** Each rule of admission: what it refuses, with which error, and what it lets through. */
import { describe, expect, test } from "vitest";
import { KvError } from "../../base/errors.js";
import { ConfChangeRequest_Type } from "../../wire/gen/internal.js";
import { RequestField } from "../../wire/proposal.js";
import { viewOf } from "./gate.fixture.js";
import { type Client, noClient, type WriteRequest } from "./requests.js";
import * as rule from "./rules.js";

const wantsLeader: Client = {
  metadata: (name) => (name === "hasleader" ? "true" : undefined),
};
const write = (bytes: number, growthBytes = 0): WriteRequest => ({
  ...{ field: RequestField.put, body: new Uint8Array(bytes), growthBytes, client: noClient },
});

describe("rules of arrival", () => {
  test("a member that stops takes nothing", () => {
    expect(rule.notStopping(viewOf({ isStopping: () => true }))).toEqual(new KvError("stopped"));
    expect(rule.notStopping(viewOf())).toBeUndefined();
  });

  test("a member whose state is wrong gives what its integrity monitor says", () => {
    const refusal = new KvError("corrupt");
    expect(rule.soundState(viewOf({ integrityRefusal: () => refusal }))).toBe(refusal);
    expect(rule.soundState(viewOf())).toBeUndefined();
  });

  test("a learner", () => {
    const refusal = new KvError("notSupportedForLearner");
    expect(rule.notLearner(viewOf({ isLearner: () => true }))).toEqual(refusal);
    expect(rule.notLearner(viewOf())).toBeUndefined();
  });

  test("a member without a leader refuses only clients that ask for a leader", () => {
    const leaderless = viewOf({ hasLeader: () => false });
    expect(rule.leaderIfRequired(leaderless, wantsLeader)).toEqual(new KvError("noLeader"));
    expect(rule.leaderIfRequired(leaderless, noClient)).toBeUndefined();
    expect(rule.leaderIfRequired(leaderless, { metadata: () => "false" })).toBeUndefined();
    expect(rule.leaderIfRequired(viewOf(), wantsLeader)).toBeUndefined();
  });

  test("the metadata of a call is read only if it can matter", () => {
    const client: Client = {
      metadata: () => {
        throw new Error("read");
      },
    };
    expect(rule.leaderIfRequired(viewOf(), client)).toBeUndefined();
  });

  test("the CORRUPT alarm of the cluster, not NOSPACE, not one that is contained", () => {
    const withAlarm = (alarm: "CORRUPT" | "NOSPACE", isContained = false) =>
      rule.noCorruptAlarm(viewOf({ alarms: () => [{ memberId: 1n, alarm, isContained }] }));
    expect(withAlarm("CORRUPT")).toEqual(new KvError("corrupt"));
    expect(withAlarm("CORRUPT", true)).toBeUndefined();
    expect(withAlarm("NOSPACE")).toBeUndefined();
    expect(rule.noCorruptAlarm(viewOf())).toBeUndefined();
  });
});

test("a learner answers reads of its applied state, and no others", () => {
  const read = (isLearner: boolean, isLocal: boolean) =>
    rule.localOnLearner(viewOf({ isLearner: () => isLearner }), { client: noClient, isLocal });
  expect(read(true, false)).toEqual(new KvError("notSupportedForLearner"));
  expect(read(true, true)).toBeUndefined();
  expect(read(false, false)).toBeUndefined();
});

describe("rules of writes", () => {
  test("size: exactly the limit is allowed", () => {
    const view = viewOf({ requestBytesMax: 10 });
    expect(rule.withinSize(view, write(10))).toBeUndefined();
    expect(rule.withinSize(view, write(11))).toEqual(new KvError("requestTooLarge"));
  });

  test("back-pressure: apply may lag by so many entries, and not by one more", () => {
    const lag = (entries: number) =>
      rule.applyKeepsUp(viewOf({ committedIndex: () => 7 + entries, appliedIndex: () => 7 }));
    expect(lag(rule.applyLagMax)).toBeUndefined();
    expect(lag(rule.applyLagMax + 1)).toEqual(new KvError("tooManyRequests"));
  });

  test("back-pressure: a full queue", () => {
    const refusal = new KvError("tooManyRequests");
    expect(rule.queueHasRoom(viewOf({ isQueueFull: () => true }))).toEqual(refusal);
    expect(rule.queueHasRoom(viewOf())).toBeUndefined();
  });

  test("back-pressure: a stream may have so many messages that wait, and not one more", () => {
    expect(rule.streamHasRoom(viewOf(), rule.streamWaitingMax)).toBeUndefined();
    const refusal = new KvError("tooManyRequests");
    expect(rule.streamHasRoom(viewOf(), rule.streamWaitingMax + 1)).toEqual(refusal);
  });

  test("quota: asked with the bytes by which the request grows the store", () => {
    const noSpace = new KvError("noSpace");
    const view = viewOf({ quotaRefusal: (bytes) => (bytes > 100 ? noSpace : undefined) });
    expect(rule.withinQuota(view, write(500, 100))).toBeUndefined();
    expect(rule.withinQuota(view, write(5, 101))).toBe(noSpace);
  });
});

test("a change of the membership that could cost the quorum", () => {
  const refusal = new KvError("unhealthyCluster");
  const view = viewOf({ quorumRefusal: ({ node_id }) => (node_id === 1n ? refusal : undefined) });
  const remove = (node_id: bigint) => ({
    client: noClient,
    change: { type: ConfChangeRequest_Type.REMOVE, node_id, member: undefined, promote: false },
  });
  expect(rule.keepsQuorum(view, remove(1n))).toBe(refusal);
  expect(rule.keepsQuorum(view, remove(2n))).toBeUndefined();
});
