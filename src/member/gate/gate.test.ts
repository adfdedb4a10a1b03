import { describe, expect, test } from "vitest";
import type { Done } from "../../base/done.js";
import { KvError } from "../../base/errors.js";
import type { Applied } from "../../state/types.js";
import { ConfChangeRequest_Type } from "../../wire/gen/internal.js";
import { RequestField } from "../../wire/proposal.js";
import { gateOf } from "./gate.fixture.js";
import type { Gate } from "./gate.js";
import { noClient } from "./requests.js";

const client = noClient;
const corrupt = new KvError("corrupt");

/** What `done` got, in order; "yes" for no error. */
function outcomes(): { told: unknown[]; done: Done<void> } {
  const told: unknown[] = [];
  return { told, done: (refusal) => void told.push(refusal?.reason ?? "yes") };
}

describe("a read", () => {
  test("passes the barrier, then waits until the state is known to be right", () => {
    const steps: string[] = [];
    const gate = gateOf({
      readBarrier: (done) => {
        steps.push("barrier");
        done(undefined);
      },
      whenSure: (done) => {
        steps.push("sure");
        done(undefined);
      },
    });
    const { told, done } = outcomes();
    gate.read("/etcdserverpb.KV/Range", { client, isLocal: false }, done);
    gate.read("/etcdserverpb.KV/Range", { client, isLocal: true }, done);
    gate.barrier(done);
    expect(steps).toEqual(["barrier", "sure", "sure", "barrier", "sure"]);
    expect(told).toEqual(["yes", "yes", "yes"]);
  });

  test("gets the refusal of a rule, of the barrier, or of a state found wrong while it waited", () => {
    const { told, done } = outcomes();
    const read = (gate: Gate) =>
      gate.read("/etcdserverpb.KV/Range", { client, isLocal: false }, done);
    read(gateOf({ view: { isLearner: () => true } }));
    read(gateOf({ readBarrier: (end) => end(new KvError("timeout")) }));
    read(gateOf({ whenSure: (end) => end(corrupt) }));
    expect(told).toEqual(["notSupportedForLearner", "timeout", "corrupt"]);
  });

  test("is refused when the member stopped while it waited for the barrier", () => {
    let isStopping = false;
    const gate = gateOf({
      view: { isStopping: () => isStopping },
      readBarrier: (done) => {
        isStopping = true;
        done(undefined);
      },
    });
    const { told, done } = outcomes();
    gate.barrier(done);
    gate.barrier(done);
    expect(told).toEqual(["stopped", "stopped"]);
  });
});

describe("what goes into the log", () => {
  const request = { field: RequestField.put, body: new Uint8Array(3), growthBytes: 3, client };
  const applied = { revision: 2 } as Applied;

  test("is proposed if no rule refuses it, and the first refusal counts", () => {
    const proposed: unknown[] = [];
    const told: unknown[] = [];
    const write = (view: Parameters<typeof gateOf>[0]) =>
      gateOf({
        ...view,
        propose: (asked, done) => {
          proposed.push(asked);
          done(applied);
        },
      }).write("/etcdserverpb.KV/Put", request, (result) => {
        told.push(result instanceof KvError ? result.reason : result);
      });
    write({});
    expect(proposed).toEqual([request]);
    write({ view: { requestBytesMax: 2, quotaRefusal: () => new KvError("noSpace") } });
    write({ view: { quotaRefusal: () => new KvError("noSpace") } });
    write({ view: { integrityRefusal: () => corrupt, isQueueFull: () => true } });
    expect(told).toEqual([applied, "requestTooLarge", "noSpace", "corrupt"]);
    expect(proposed).toHaveLength(1);
  });

  test("is refused for the alarm NOSPACE only if that is still active after a read barrier", () => {
    let isAlarmed = true;
    const told: unknown[] = [];
    const barriers: Done<void>[] = [];
    const gate = gateOf({
      view: { isOutOfSpace: () => isAlarmed },
      readBarrier: (done) => barriers.push(done),
      propose: (_asked, done) => done(applied),
    });
    const write = (growthBytes: number) =>
      gate.write("/etcdserverpb.KV/Put", { ...request, growthBytes }, (result) => {
        told.push(result instanceof KvError ? result.reason : "applied");
      });
    write(0);
    write(3);
    write(3);
    write(3);
    expect(told).toEqual(["applied"]);
    barriers[0]?.(undefined);
    barriers[1]?.(new KvError("timeout"));
    isAlarmed = false;
    barriers[2]?.(undefined);
    expect(told).toEqual(["applied", "noSpace", "timeout", "applied"]);
  });

  test("a change of the membership", () => {
    const change = {
      ...{ type: ConfChangeRequest_Type.REMOVE, node_id: 5n, member: undefined, promote: false },
    };
    const proposed: unknown[] = [];
    const told: unknown[] = [];
    const ask = (view: Parameters<typeof gateOf>[0]) =>
      gateOf({
        ...view,
        proposeChange: (asked, done) => {
          proposed.push(asked);
          done(applied);
        },
      }).change("/etcdserverpb.Cluster/MemberRemove", { client, change }, (result) => {
        told.push(result instanceof KvError ? result.reason : result);
      });
    ask({});
    ask({ view: { quorumRefusal: () => new KvError("unhealthyCluster") } });
    expect(told).toEqual([applied, "unhealthyCluster"]);
    expect(proposed).toEqual([change]);
  });
});

test("an answer of another member is not passed on by a member that lost its state meanwhile", () => {
  let refusal: KvError | undefined;
  const told: unknown[] = [];
  const relay = (ask: (done: Done<{ readonly ttl: number }>) => void) =>
    gateOf({ view: { integrityRefusal: () => refusal } }).relay(
      "/etcdserverpb.Lease/LeaseKeepAlive",
      client,
      ask,
      (result) => told.push(result instanceof KvError ? result.reason : result),
    );
  relay((done) => done({ ttl: 9 }));
  relay((done) => {
    refusal = corrupt;
    done({ ttl: 9 });
  });
  relay(() => told.push("asked"));
  expect(told).toEqual([{ ttl: 9 }, "corrupt", "corrupt"]);
});

test("a page is admitted by the rules of its own", () => {
  const gate = gateOf({ view: { integrityRefusal: () => corrupt } });
  expect(gate.admitPage("peer /members/hashkv")).toBe(corrupt);
  expect(gate.admitPage("client /health")).toBeUndefined();
});
