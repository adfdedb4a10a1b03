/** The monitor as a member uses it: who waits, who is refused, what is on the disk. No cluster. */

import { beforeEach, expect, test } from "vitest";
import type { KvError } from "../base/errors.js";
import type { Peers } from "../peers/peers.js";
import type { RaftNode } from "../raft/types.js";
import type { Applied, MachineReader } from "../state/types.js";
import { MemoryDisk } from "../verify/sim/platform/memory-disk.js";
import type { Incidents } from "./incidents/incidents.js";
import { IntegrityMonitor } from "./monitor.js";
import type { MonitorParts } from "./monitor-parts.js";
import { fingerprintOf, HandClock, Others } from "./others.fixture.js";
import { readQuarantine } from "./quarantine-file.js";

const electionMs = 1_000;

let clock: HandClock;
let others: Others;
let disk: MemoryDisk;
let leader: bigint;
let voters: readonly bigint[];
let members: readonly bigint[];
let appliedIndex: number;
let events: string[];
let reads: (string | undefined)[];

beforeEach(() => {
  clock = new HandClock();
  others = new Others();
  disk = new MemoryDisk((fn) => clock.defer(fn));
  leader = 2n;
  voters = [1n, 2n, 3n];
  members = [1n, 2n, 3n];
  appliedIndex = 40;
  events = [];
  reads = [];
});

function machine(): MachineReader {
  return {
    appliedIndex,
    fingerprint: () => fingerprintOf(appliedIndex, 1),
    confState: { voters },
    alarms: () => [],
    cluster: { members: () => members.map((id) => ({ id })), member: () => ({}) },
  } as unknown as MachineReader;
}

function create(): IntegrityMonitor {
  const nothing = (): void => {};
  const parts = {
    ...{ clock, disk, selfId: 1n, electionMs, stopsCluster: false, request: others.request },
    peers: { serve: nothing } as unknown as Peers,
    incidents: new Proxy({}, { get: () => nothing }) as Incidents,
    raft: () =>
      ({
        leader: () => leader,
        isLeader: () => leader === 1n,
        isDoubtful: () => false,
        term: () => 1,
      }) as RaftNode,
    machine,
    backendName: () => "b.1",
    proposeAsLeader: () => events.push("propose"),
    standIn: () => {
      // A crash here must come back in quarantine.
      events.push(`stand-in, note ${readQuarantine(disk)?.reason}`);
    },
    checkSelf: nothing,
    mayLead: (isAllowed: boolean) => events.push(`may lead: ${isAllowed}`),
    handOver: () => events.push("hand over"),
    changed: nothing,
    unixMs: () => clock.unixMs(),
    failed: (error: Error) => events.push(`failed: ${error.message}`),
    log: nothing,
  };
  const monitor = new IntegrityMonitor(parts as unknown as MonitorParts, readQuarantine(disk));
  monitor.start();
  return monitor;
}

function read(monitor: IntegrityMonitor): void {
  const at = reads.push("waits") - 1;
  monitor.whenSure((refusal) => {
    reads[at] = (refusal as KvError | undefined)?.reason ?? "answered";
  });
}

function apply(monitor: IntegrityMonitor, outcome: object = { kind: "none" }): void {
  appliedIndex++;
  monitor.applied(machine(), { outcome } as Applied);
}

test("reads wait from the first message that could tell, until the states are equal again", () => {
  const monitor = create();
  read(monitor);
  monitor.received(2n, fingerprintOf(40, 2));
  read(monitor);
  expect(reads).toEqual(["answered", "waits"]);
  expect([monitor.isInDoubt(), monitor.mayHandOn()]).toEqual([true, false]);
  apply(monitor);
  monitor.received(2n, fingerprintOf(41, 1));
  expect(reads).toEqual(["answered", "answered"]);
});

test("they wait five election timeouts at most", () => {
  const monitor = create();
  monitor.received(2n, fingerprintOf(40, 2));
  read(monitor);
  clock.pass(1);
  read(monitor);
  clock.pass(5 * electionMs - 1);
  monitor.tick(clock.now());
  expect(reads).toEqual(["timeout", "waits"]);
});

test("a difference with a member that does not lead says nothing", () => {
  const monitor = create();
  monitor.received(3n, fingerprintOf(40, 2));
  read(monitor);
  expect(reads).toEqual(["answered"]);
});

test("a lone voter whose learner is wrong decides at once, and goes on answering", () => {
  leader = 1n;
  voters = [1n];
  members = [1n, 2n];
  const monitor = create();
  // The majority is there before anybody is asked.
  monitor.received(2n, fingerprintOf(40, 2));
  read(monitor);
  expect([events, reads]).toEqual([["propose"], ["answered"]]);
});

test("quarantine: the note is on the disk before the state goes; who waits is refused", () => {
  const monitor = create();
  monitor.received(2n, fingerprintOf(40, 2));
  read(monitor);
  monitor.enter("rows are damaged", 40);
  read(monitor);
  expect(events).toEqual(["stand-in, note rows are damaged", "may lead: false"]);
  expect(reads).toEqual(["corrupt", "corrupt"]);
  expect([monitor.found, monitor.outgoing()]).toEqual([1, undefined]);
  expect(create().refusal()?.reason).toBe("corrupt");
});

test("without its note on the disk, the state is not touched: the member stops", () => {
  const monitor = create();
  disk.makeDir = disk.open = () => {
    throw new Error("disk full");
  };
  monitor.enter("rows are damaged", 40);
  expect(events).toEqual(["failed: disk full"]);
  expect(monitor.refusal()?.reason).toBe("corrupt");
});

test("from a replaced state to serving: equal twice, cleared by the log, the note is gone", () => {
  const monitor = create();
  monitor.enter("rows are damaged", 40);
  apply(monitor);
  // A stand-in's fingerprint is nobody's.
  expect(monitor.outgoing()).toBeUndefined();
  monitor.replaced();
  const cleared = { kind: "verdict", memberId: 1n, verdict: "cleared" };
  apply(monitor);
  monitor.received(2n, fingerprintOf(appliedIndex, 1));
  expect(monitor.refusal()?.reason).toBe("corrupt");
  apply(monitor, cleared);
  expect([monitor.refusal(), monitor.healed, readQuarantine(disk)]).toEqual([
    ...[undefined, 1, undefined],
  ]);
  expect(events.at(-1)).toBe("may lead: true");
});
