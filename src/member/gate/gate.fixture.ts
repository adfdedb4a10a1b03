/** A gate for tests: it refuses nothing but for what the test says. */

import type { Done } from "../../base/done.js";
import type { Applied } from "../../state/types.js";
import { OperationCounts } from "../operation-counts.js";
import type { Member } from "../types.js";
import { Gate, type GateParts } from "./gate.js";
import type { GateView } from "./rules.js";

const open: GateView = {
  requestBytesMax: 1_572_864,
  isStopping: () => false,
  isLearner: () => false,
  hasLeader: () => true,
  integrityRefusal: () => undefined,
  alarms: () => [],
  committedIndex: () => 0,
  appliedIndex: () => 0,
  isQueueFull: () => false,
  quotaRefusal: () => undefined,
  isOutOfSpace: () => false,
  quorumRefusal: () => undefined,
};

export function viewOf(more: Partial<GateView> = {}): GateView {
  return { ...open, ...more };
}

const ignored = (_: unknown, _done: Done<Applied>): void => {};
const passed = (done: Done<void>): void => done(undefined);

export function gateOf(
  parts: Partial<Omit<GateParts, "view">> & { readonly view?: Partial<GateView> } = {},
): Gate {
  return new Gate({
    ...{ propose: ignored, proposeChange: ignored, readBarrier: passed, whenSure: passed },
    ...parts,
    view: viewOf(parts.view),
  });
}

/** The methods of a member that pass through a gate. */
export function gateMethods(
  parts: Parameters<typeof gateOf>[0] = {},
): Pick<
  Member,
  "admit" | "admitPage" | "admitWaiting" | "read" | "write" | "readBarrier" | "operations"
> {
  const gate = gateOf(parts);
  return {
    admit: (rpc, client) => gate.admit(rpc, client),
    admitWaiting: (rpc, waiting) => gate.admitWaiting(rpc, waiting),
    admitPage: (page) => gate.admitPage(page),
    read: (rpc, request, done) => gate.read(rpc, request, done),
    write: (rpc, request, done) => gate.write(rpc, request, done),
    readBarrier: (done) => gate.barrier(done),
    operations: new OperationCounts(() => 0),
  };
}
