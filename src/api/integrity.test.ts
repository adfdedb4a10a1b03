import { describe, expect, test } from "vitest";
import { KvError } from "../base/errors.js";
import type { PeerView } from "../integrity/comparison.js";
import { gateMethods } from "../member/gate/gate.fixture.js";
import type { Member, MemberIntegrity } from "../member/types.js";
import { nodeHash } from "../platform/node/hash.js";
import { AuthTable } from "../state/auth/auth-table.js";
import {
  ReportRequest,
  ReportResponse,
  MemberIntegrity_State as State,
} from "../wire/gen/integrity.js";
import { callUnary } from "./call.fixture.js";
import { allMethods } from "./services.js";

const noBytes = new Uint8Array(0);
const views: Readonly<Record<string, PeerView>> = {
  3: { state: "equal", verifiedIndex: 28 },
  4: { state: "not comparable", verifiedIndex: 0 },
};
const rows = {
  ...{ wrongIndex: 20, rightIndex: 30, uptoRevision: 9, compared: 11, problem: "" },
  faults: { missing: 1, extra: 2, different: 3, damaged: 4 },
  rows: [{ bucket: "key", key: "00ff", text: "a", revision: 7, fault: "damaged" }],
} as const;
const sound: MemberIntegrity = {
  ...{ digestVersion: 1, verifiedIndex: 28, quarantine: undefined, divergence: undefined },
  incidents: [
    {
      number: 7,
      steps: [
        {
          ...{ kind: "detected", atMs: 1234.5, member: "3", text: "differs", index: 20 },
          ...{ difference: "apply", evidence: ["2: x", "3: y"] },
        },
        { kind: "rows", atMs: 1300, member: "2", text: "rows", index: 0, rows },
      ],
    },
  ],
  peer: (id) => views[String(id)] ?? { state: "unknown", verifiedIndex: 0 },
};

function ask(view: MemberIntegrity, request = noBytes): ReportResponse {
  const one = (id: bigint, name: string) => ({
    ...{ id, name, peerUrls: [], clientUrls: [`http://${name}`], isLearner: id === 4n },
  });
  const member = {
    ...{ id: 2n, clusterId: 1n, limits: { txnOpsMax: 4 } },
    term: () => 4,
    leader: () => 3n,
    ...gateMethods({
      view: {
        isLearner: () => true,
        integrityRefusal: () =>
          view.quarantine === undefined ? undefined : new KvError("corrupt"),
      },
    }),
    integrity: () => view,
    machine: {
      auth: new AuthTable(),
      appliedIndex: 29,
      kv: { revision: () => 9 },
      alarms: () => [{ memberId: 4n, alarm: "CORRUPT", isContained: true }],
      cluster: { members: () => [one(2n, "a"), one(3n, "b"), one(4n, "c"), one(5n, "d")] },
    },
  } as unknown as Member;
  const methods = allMethods(member, nodeHash);
  const { answer } = callUnary(methods, "/lockstep.Integrity/Report", request);
  return ReportResponse.decode(answer ?? noBytes);
}

describe("integrity report", () => {
  test("tells how each member compares; what cannot be compared is not told to be equal", () => {
    const told = ask(sound);
    expect(told).toMatchObject({
      header: { cluster_id: 1n, member_id: 2n, revision: 9n, raft_term: 4n },
      ...{ digest_version: 1, applied_index: 29n, verified_index: 28n, leader: 3n },
      quarantine: undefined,
      alarms: [{ member_ID: 4n, alarm: 2, contained: true }],
    });
    expect(
      told.members.map(({ name, state, verified_index }) => [name, state, verified_index]),
    ).toEqual([
      ["a", State.SELF, 28n],
      ["b", State.EQUAL, 28n],
      ["c", State.NOT_COMPARABLE, 0n],
      ["d", State.UNKNOWN, 0n],
    ]);
    expect(told.members[2]).toMatchObject({ is_learner: true, client_urls: ["http://c"] });
  });

  test("tells the past with its rows, unless only the present is asked for", () => {
    const [incident] = ask(sound).incidents;
    expect(incident?.number).toBe(7n);
    expect(incident?.steps).toMatchObject([
      { kind: "detected", at_ms: 1235n, difference: "apply", evidence: ["2: x", "3: y"] },
      {
        kind: "rows",
        rows: {
          ...{ wrong_index: 20n, right_index: 30n, compared: 11n },
          ...{ missing: 1n, extra: 2n, different: 3n, damaged: 4n },
          rows: [{ bucket: "key", key: "00ff", text: "a", revision: 7n, fault: "damaged" }],
        },
      },
    ]);
    const request = ReportRequest.encode({ present_only: true }).finish();
    expect(ask(sound, request).incidents).toEqual([]);
  });

  test("a member in quarantine, and a learner, answer", () => {
    const quarantine = {
      ...{ reason: "why", index: 20, sinceMs: 1000.25, failures: 2 },
      ...{ backend: "state-0", evidence: ["mine"] },
    };
    const told = ask({ ...sound, quarantine });
    expect(told.header?.revision).toBe(0n);
    expect(told.quarantine).toEqual({
      ...{ reason: "why", index: 20n, since_ms: 1000n, failures: 2 },
      ...{ backend: "state-0", evidence: ["mine"] },
    });
  });
});
