/**
 * Reads a plan that was saved as JSON (the `plan` of a story in the output of `--json`). It checks
 * the content of the file before a run uses it.
 */
import type { StudyEntry } from "./log-entry.js";
import { actorNames, designNames, noHazards, type StudyPlan } from "./plan.js";

type Fields = Readonly<Record<string, unknown>>;

/** Text: the reason why it is not a plan. */
export function readPlan(json: string): StudyPlan | string {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return "it is not JSON";
  }
  if (!isFields(value)) return "it is not an object";
  if (value.format !== 1) return "its format is not 1";
  if (!designNames.some((name) => name === value.design)) return "its design is unknown";
  const { hazards, log, choices, batchLimit, snapshotEvery } = value;
  const known = Object.keys(noHazards);
  const isSwitches =
    isFields(hazards) &&
    known.every((name) => typeof hazards[name] === "boolean") &&
    Object.keys(hazards).every((name) => known.includes(name));
  if (!isSwitches) return "its hazards are not the known switches";
  if (!Array.isArray(log) || !log.every(isEntry)) return "its log has an unknown entry";
  const isChoice = (choice: unknown): boolean =>
    choice === "crash" || actorNames.some((name) => name === choice);
  if (!Array.isArray(choices) || !choices.every(isChoice)) return "its choices name no actor";
  if (!isCount(batchLimit) || !isCount(snapshotEvery)) return "its limits are not whole numbers";
  return value as unknown as StudyPlan;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

function isEntry(value: unknown): boolean {
  if (!isFields(value)) return false;
  const { kind, key, lease, leases, left, revision, member } = value;
  switch (kind as StudyEntry["kind"]) {
    case "failedTxn":
    case "rejected":
    case "auth":
      return true;
    case "put":
      return typeof key === "string";
    case "leaseGrant":
      return isCount(lease);
    case "leaseCheckpoint":
      return Array.isArray(leases) && leases.every(isCount) && isCount(left);
    case "compaction":
      return isCount(revision);
    case "alarm":
    case "confChange":
      return isCount(member);
    default:
      return false;
  }
}
