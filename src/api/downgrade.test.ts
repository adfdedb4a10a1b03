/** The service in front of a real state machine that applies each proposal at once. */
import { expect, test } from "vitest";
import { gateMethods } from "../member/gate/gate.fixture.js";
import type { Member } from "../member/types.js";
import { nodeHash } from "../platform/node/hash.js";
import {
  applyCommand,
  applyData,
  firstMember,
  foundMachine,
  JournalBackend,
} from "../state/machine.fixture.js";
import { DowngradeRequest, DowngradeResponse } from "../wire/gen/rpc.js";
import { callUnary } from "./call.fixture.js";
import { maintenanceMethods } from "./maintenance.js";

const action = { validate: 0, enable: 1, cancel: 2 } as const;

/** Makes a cluster of one member of this version; the cluster's version is the same. */
function setUp(version: string) {
  const machine = foundMachine(new JournalBackend());
  if (version !== "") {
    applyCommand(machine, { $case: "cluster_version_set", value: { ver: version } });
  }
  const member = {
    id: firstMember,
    clusterId: 1n,
    machine,
    term: () => 4,
    leader: () => firstMember,
    ...gateMethods({
      propose: ({ field, body }, done) => {
        const tag = [((field << 3) & 0x7f) | 2 | 0x80, field >> 4];
        done(applyData(machine, Uint8Array.from([...tag, body.length, ...body])));
      },
    }),
  } as unknown as Member;
  const methods = maintenanceMethods(member, nodeHash);
  const ask = (what: number, target = "") => {
    const request = DowngradeRequest.encode({ action: what, version: target }).finish();
    const { answer, status } = callUnary(methods, "/etcdserverpb.Maintenance/Downgrade", request);
    if (answer === undefined) return status;
    const { header, version } = DowngradeResponse.decode(answer);
    expect(header).toMatchObject({ member_id: firstMember, raft_term: 4n, revision: 1n });
    return version;
  };
  return { machine, ask };
}

test("validate asks and changes nothing", () => {
  const { machine, ask } = setUp("3.7.0");
  for (const text of ["3.6", "3.6.0", "3.6.4", "v3.6"]) {
    expect(ask(action.validate, text)).toBe("3.7");
  }
  for (const text of ["3.5", "3.7", "3.8.0", "2.6"]) {
    expect(ask(action.validate, text)).toEqual({
      code: 3,
      message: "etcdserver: invalid downgrade target version",
    });
  }
  for (const text of ["", "3", "low"]) {
    expect(ask(action.validate, text)).toEqual({
      code: 3,
      message: "etcdserver: wrong downgrade target version format",
    });
  }
  expect(machine.cluster.clusterVersion()).toBe("3.7.0");
  expect(machine.cluster.downgradeTarget()).toBeUndefined();
});

test("enable lowers the cluster, a second one is refused, cancel ends it and may be repeated", () => {
  const { machine, ask } = setUp("3.7.0");
  expect(ask(action.enable, "3.5")).toMatchObject({ code: 3 });
  expect(ask(action.enable, "3.6")).toBe("3.7");
  expect(machine.cluster.clusterVersion()).toBe("3.6.0");
  expect(machine.cluster.downgradeTarget()).toBe("3.6.0");
  expect(ask(action.cancel)).toBe("3.6");
  expect(machine.cluster.downgradeTarget()).toBeUndefined();
  expect(ask(action.cancel)).toBe("3.6");
  const twice = setUp("3.8.0");
  twice.ask(action.enable, "3.7");
  expect(twice.ask(action.enable, "3.6")).toEqual({
    code: 9,
    message: "etcdserver: cluster has a downgrade job in progress",
  });
});

test("a cluster without a version, and an action that nobody knows", () => {
  const { ask } = setUp("");
  expect(ask(action.validate, "3.6")).toEqual({
    code: 9,
    message: "etcdserver: cluster version not found during downgrade",
  });
  expect(ask(7)).toMatchObject({ code: 2 });
});
