/**
 * Checks that in each crash image content and index agree (S2, S3). At each crash, and at sampled
 * moments in between, the check opens every state of the backend that a power failure can leave, as
 * a restart would open it. The content must be that of its index, and the stored digests must be
 * those of the rows. The surviving log must continue the state up to what the cluster has
 * committed, and give the same states again.
 */

import { readQuarantine } from "../../../integrity/quarantine-file.js";
import type { Backend } from "../../../platform/backend.js";
import { fetchedPrefix } from "../../../snapshot/sink.js";
import type { Machine } from "../../../state/apply.js";
import { scanDigests } from "../../../state/digest.js";
import { createMachine } from "../../../state/machine.js";
import { runThrough, Work } from "../../../state/work.js";
import { readSlot } from "../../../storage/backend-slot.js";
import { verifyState } from "../../../storage/verify-state.js";
import type { Recovered } from "../../../wal/recovery.js";
import { createMemoryBackendStore } from "../platform/memory-backend.js";
import type { StoreImage } from "../platform/memory-backend-file.js";
import type { MemoryDisk } from "../platform/memory-disk.js";
import { simHash } from "../platform/sim-hash.js";
import type { SimNode } from "../sim-node.js";
import type { Check, CheckWorld } from "./check.js";
import { lastIndexIn, recoveredLog } from "./durable-log.js";
import { memoryOf } from "./memory-checks.js";

const syncPerMille = 4;

export class ImageChecks implements Check {
  readonly #world: CheckWorld;
  images = 0;

  constructor(world: CheckWorld) {
    this.#world = world;
  }

  /** Also called for a state that has just replaced another. */
  started(node: SimNode): void {
    this.#all(node);
  }

  ended(node: SimNode): void {
    this.#all(node);
  }

  synced(node: SimNode): void {
    if (this.#world.sample(syncPerMille)) this.#all(node);
  }

  finished(): void {
    for (const node of this.#world.cluster.nodes) if (node.member !== undefined) this.#all(node);
  }

  #all(node: SimNode): void {
    if (node.isDamaged || node.memberId === undefined || node.state === "wiped") return;
    const disk = node.disk.durableImage();
    // The state that the slot names is known to be wrong: the next start continues in quarantine.
    if (readQuarantine(disk) !== undefined) return;
    const slot = readSlot(disk);
    if (slot === undefined) return;
    const log = this.#log(node, disk);
    if (log === undefined) return;
    for (const image of node.backends.crashImages()) this.#one(node, { image, slot, log });
  }

  #log(node: SimNode, disk: MemoryDisk): Recovered | undefined {
    try {
      return recoveredLog(disk);
    } catch (error) {
      this.#world.report("S3", `${node.name}: ${(error as Error).message}`, node);
      return undefined;
    }
  }

  #one(
    node: SimNode,
    state: { readonly image: StoreImage; readonly slot: string; readonly log: Recovered },
  ): void {
    const { image, slot, log } = state;
    if (!image.has(slot)) return;
    this.images++;
    const store = createMemoryBackendStore({ defer: () => {}, image });
    const backend = store.open(slot);
    const machine = this.#open(node, backend);
    if (machine === undefined) return;
    const marker = log.snapshot?.index ?? 0;
    if (machine.appliedIndex < marker) {
      // A fetched state takes over at the next start.
      if (hasFetched(image, marker)) return;
      const text = `the log begins after ${marker}, no state goes that far in a crash image`;
      this.#world.report("S3", `${node.name}: ${text}`, node);
      return;
    }
    if (machine.appliedIndex === 0) return;
    this.#compare(node, machine, "in a crash image");
    const stored = machine.digests().buckets;
    for (const [bucket, digest] of scanDigests(backend, simHash.sha256)) {
      if (stored.get(bucket)?.some((byte, at) => byte !== digest[at]) !== false) {
        this.#world.report(
          "S2",
          `${node.name}: rows and stored digest of bucket ${bucket} differ in a crash image`,
          node,
        );
      }
    }
    if (machine.appliedIndex > lastIndexIn(log)) {
      const text = `${node.name}: the backend stands at ${machine.appliedIndex}, behind the log`;
      this.#world.report("S3", text, node);
      return;
    }
    this.#replay(node, machine, log);
  }

  #open(node: SimNode, backend: Backend): Machine | undefined {
    try {
      return createMachine(backend, simHash.sha256);
    } catch (error) {
      this.#world.report("S2", `${node.name}: ${(error as Error).message}`, node);
      return undefined;
    }
  }

  /** Applies the entries that the log holds and the cluster has committed. */
  #replay(node: SimNode, machine: Machine, log: Recovered): void {
    const { committed } = this.#world.ghost;
    const first = log.entries[0]?.index ?? 0;
    if (log.entries.length > 0 && first > machine.appliedIndex + 1) {
      const gap = `between ${machine.appliedIndex} and ${first}`;
      this.#world.report("S3", `${node.name}: entries are missing ${gap}`, node);
      return;
    }
    for (const entry of log.entries) {
      if (entry.index <= machine.appliedIndex) continue;
      const known = committed.get(entry.index);
      if (known === undefined || known.entry.term !== entry.term) return;
      machine.apply(entry);
      this.#compare(node, machine, "after replay of a crash image");
    }
  }

  #compare(node: SimNode, machine: Machine, where: string): void {
    const known = this.#world.ghost.roots.get(machine.appliedIndex);
    if (known === undefined) return;
    if (known !== String.fromCharCode(...machine.digests().root)) {
      const { appliedIndex } = machine;
      this.#world.report("S2", `${node.name}: wrong content at ${appliedIndex} ${where}`, node);
    }
    const memory = this.#world.ghost.memories.get(machine.appliedIndex);
    if (memory === undefined || memory === memoryOf(machine)) return;
    const both = `${memoryOf(machine)} ${where}; elsewhere ${memory}`;
    this.#world.report("S2", `${node.name} at ${machine.appliedIndex} holds ${both}`, node);
  }
}

/** As boot does it: the checked backend that was fetched as the snapshot at this index. */
function hasFetched(image: StoreImage, index: number): boolean {
  const store = createMemoryBackendStore({ defer: () => {}, image });
  return store
    .list()
    .filter((name) => name.startsWith(fetchedPrefix(index)))
    .some((name) => {
      const all = new Work(Number.POSITIVE_INFINITY);
      const state = runThrough(verifyState(store.open(name), simHash.sha256, all));
      return !(state instanceof Error) && state.appliedIndex === index;
    });
}
