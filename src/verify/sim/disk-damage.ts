/** What a disk can do to the log and the state of a node while it is off. */
import { checkpointNotesOf } from "../../integrity/startup/checkpoint-note.js";
import { Bucket } from "../../platform/rows.js";
import { digestedBuckets } from "../../state/digest.js";
import { readSlot } from "../../storage/backend-slot.js";
import { recoveredLog } from "./checks/durable-log.js";
import type { Fault } from "./plan/plan.js";
import { simHash } from "./platform/sim-hash.js";
import type { SimNode } from "./sim-node.js";

/** Where the row of bucket meta holds the applied index: see docs/formats.md. */
const metaIndexAt = 4;

/** The faults that need the node to be off. */
export type DamageKind =
  | "rotLog"
  | "rotRow"
  | "misdirect"
  | "staleBackend"
  | "extraRow"
  | "lostRow"
  | "forgedRow"
  | "wrongIndex";

type Damage = Extract<Fault, { readonly kind: DamageKind }>;

/** False: nothing there can be damaged so. */
export function damageAtRest(node: SimNode, fault: Damage): boolean {
  if (fault.kind === "rotLog") return rotLog(node, fault);
  const { faults } = node.backends;
  const name = readSlot(node.disk);
  if (name === undefined || !node.backends.list().includes(name)) return false;
  const bucket = Bucket.key;
  switch (fault.kind) {
    case "rotRow":
      return faults.flipBit(name, { bucket, row: fault.row, bit: fault.bit }) !== undefined;
    case "misdirect":
      return faults.misdirect(name, { bucket, row: fault.row }) !== undefined;
    case "extraRow":
      return faults.addRow(name, { bucket, row: fault.row }) !== undefined;
    case "lostRow": {
      const lost = digestedBuckets[fault.bucket % digestedBuckets.length] as Bucket;
      return faults.loseRow(name, { bucket: lost, row: fault.row }) !== undefined;
    }
    case "forgedRow":
      return faults.forgeRow(name, fault.row, simHash.sha256) !== undefined;
    case "wrongIndex":
      return wrongIndex(node, name, fault.by);
    case "staleBackend":
      faults.swapStale(name);
      return true;
  }
}

/** Flips a bit of log that was durable before its last sync: this cannot be a torn tail. */
function rotLog(node: SimNode, fault: Extract<Fault, { readonly kind: "rotLog" }>): boolean {
  const paths = node.disk.list("wal").map((name) => `wal/${name}`);
  const total = paths.reduce((sum, path) => sum + node.disk.settledBytes(path), 0);
  let place = Math.floor((fault.place / 1_000_000) * total);
  for (const path of paths) {
    const bytes = node.disk.settledBytes(path);
    if (place < bytes) {
      node.disk.flipBit(path, place, fault.bit);
      return true;
    }
    place -= bytes;
  }
  return false;
}

/**
 * The state claims another index of its log. Only if the log begins at the founding, or holds a
 * note of this state: then the next start can find it.
 */
function wrongIndex(node: SimNode, name: string, by: number): boolean {
  const log = node.isLogDamaged ? undefined : recoveredLog(node.disk.durableImage());
  if (log === undefined) return false;
  const first = log.snapshot?.index ?? 1;
  const last = log.entries.at(-1)?.index ?? first;
  const isNoted = checkpointNotesOf(log.notes, name).some(({ index }) => index >= first);
  if (first > 1 && !isNoted) return false;
  let isDone = false;
  node.backends.faults.changeMeta(name, (meta) => {
    const view = new DataView(meta.buffer, meta.byteOffset);
    const held = Number(view.getBigUint64(metaIndexAt, true));
    const wrong = first + (by % (last - first + 1));
    if (wrong === held || held === 0) return;
    view.setBigUint64(metaIndexAt, BigInt(wrong), true);
    isDone = true;
  });
  return isDone;
}
