/**
 * Plans as JSON. The reader checks a plan before it runs: a file from another version, or with an
 * error of an editor, gives a clear error and never runs as something else.
 */
import { actionKinds } from "./action-kinds.js";
import { faultKinds } from "./fault-kinds.js";
import type { ClientOp, Fault, Plan, SimFaultKind, Swarm } from "./plan.js";

/** One line for each fault and each request, in the order of the plan. */
export function encodePlan(plan: Plan): string {
  const list = (items: readonly object[]): string =>
    items.length === 0
      ? "[]"
      : `[\n${items.map((item) => `  ${JSON.stringify(item)}`).join(",\n")}\n]`;
  const { format, seed, swarm, faults, ops } = plan;
  return `{"format":${format},"seed":${seed},\n"swarm":${JSON.stringify(swarm, undefined, 1)},\n"faults":${list(faults)},\n"ops":${list(ops)}}\n`;
}

/** @throws Error that says what is wrong and where */
export function decodePlan(text: string): Plan {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`the plan is not JSON: ${(error as Error).message}`);
  }
  const plan = objectOf(value, "the plan");
  if (plan.format !== 1) {
    throw new Error(`the plan has format ${String(plan.format)}, this program reads format 1`);
  }
  numberOf(plan.seed, "seed");
  const swarm = objectOf(plan.swarm, "swarm");
  for (const [name, example] of Object.entries(swarmShape)) {
    sameType(swarm[name], example, `swarm.${name}`);
  }
  if (swarm.hasUsers !== undefined) sameType(swarm.hasUsers, true, "swarm.hasUsers");
  if (swarm.autoCompaction !== undefined) {
    sameType(swarm.autoCompaction, { mode: "", retention: 0 }, "swarm.autoCompaction");
  }
  const faults = listOf(plan.faults, "faults").map((item, at) => {
    const fault = objectOf(item, `faults[${at}]`);
    const kind = fault.kind as string;
    const spec = Object.hasOwn(faultKinds, kind) ? faultKinds[kind as SimFaultKind] : undefined;
    if (spec === undefined) throw new Error(`faults[${at}]: unknown kind ${String(kind)}`);
    if (typeof fault.id !== "string") numberOf(fault.id, `faults[${at}].id`);
    numberOf(fault.atMs, `faults[${at}].atMs`);
    for (const name of spec.fields) {
      if (fault[name] === undefined) throw new Error(`faults[${at}]: ${name} is missing`);
    }
    return fault as unknown as Fault;
  });
  const ops = listOf(plan.ops, "ops").map((item, at) => {
    const op = objectOf(item, `ops[${at}]`);
    for (const name of ["id", "atMs", "client", "member"]) numberOf(op[name], `ops[${at}].${name}`);
    const { kind } = objectOf(op.action, `ops[${at}].action`);
    if (!Object.hasOwn(actionKinds, kind as string)) {
      throw new Error(`ops[${at}].action: unknown kind ${String(kind)}`);
    }
    return op as unknown as ClientOp;
  });
  return { format: 1, seed: plan.seed as number, swarm: swarm as unknown as Swarm, faults, ops };
}

const swarmShape: Swarm = {
  members: 0,
  clients: 0,
  keys: 0,
  leases: 0,
  durationMs: 0,
  weather: {
    delayMinUs: 0,
    delayMaxUs: 0,
    lossPerMille: 0,
    duplicatePerMille: 0,
    isOrdered: true,
    noticeMs: 0,
  },
  syncMinUs: 0,
  syncMaxUs: 0,
  driftPerMille: 0,
  electionMs: 0,
  heartbeatMs: 0,
  snapshotCount: 0,
  snapshotCatchupEntries: 0,
  backendBatchMs: 0,
  backendBatchLimit: 0,
  compactionBatchLimit: 0,
  applySliceUnits: 0,
  applyPauseMs: 0,
  applyEventsMax: 0,
  walSegmentBytes: 0,
  progressNotifyMs: 0,
  quotaBytes: 0,
  isBeyondAtlas: false,
};

function objectOf(value: unknown, where: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error(`${where}: an object is expected`);
  }
  return value as Record<string, unknown>;
}

function listOf(value: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error(`${where}: a list is expected`);
  return value;
}

function numberOf(value: unknown, where: string): void {
  if (typeof value !== "number" || !Number.isFinite(value)) {
    throw new Error(`${where}: a number is expected`);
  }
}

function sameType(value: unknown, example: unknown, where: string): void {
  if (typeof value !== typeof example) throw new Error(`${where}: a ${typeof example} is expected`);
  if (typeof example !== "object" || example === null) return;
  for (const [name, inner] of Object.entries(example)) {
    sameType(objectOf(value, where)[name], inner, `${where}.${name}`);
  }
}
