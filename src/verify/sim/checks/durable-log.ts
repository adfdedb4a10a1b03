/**
 * The part of a node's log that would survive a power failure now, read as a restart would read it.
 */
import { type Recovered, recover } from "../../../wal/recovery.js";
import type { MemoryDisk } from "../platform/memory-disk.js";
import type { SimNode } from "../sim-node.js";

/** Undefined: there is no log yet. @throws the errors of recovery */
export function recoveredLog(disk: MemoryDisk): Recovered | undefined {
  if (!disk.list("wal").some((name) => name.endsWith(".wal"))) return undefined;
  return recover(disk, "wal").recovered;
}

/** The term at an index of a recovered log; undefined if the log does not contain it. */
export function termIn(log: Recovered, index: number): number | undefined {
  if (index === log.snapshot?.index) return log.snapshot.term;
  const first = log.entries[0]?.index ?? 0;
  return log.entries[index - first]?.term;
}

/** The last index of a recovered log; 0 if it is empty. */
export function lastIndexIn(log: Recovered): number {
  return log.entries.at(-1)?.index ?? log.snapshot?.index ?? 0;
}

/** True if a power failure now would leave the node that entry, or a snapshot behind it. */
export function holdsDurably(node: SimNode, index: number, term: number): boolean {
  const log = recoveredLog(node.disk.durableImage());
  if (log === undefined) return false;
  return index <= (log.snapshot?.index ?? 0) || termIn(log, index) === term;
}
