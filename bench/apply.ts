/**
 * What applying one entry costs, without raft, log and network: puts of 256-byte values into the
 * state machine on LMDB, with a backend commit every `commitEvery` entries as in production.
 *
 *   npx tsx bench/apply.ts [entries] [distinct keys]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EntryEncoder } from "../src/member/turns/request-codec.js";
import type { Backend } from "../src/platform/backend.js";
import { nodeHash } from "../src/platform/node/hash.js";
import { createLmdbBackendStore } from "../src/platform/node/lmdb/backend.js";
import { EntryType } from "../src/raft/types.js";
import type { Machine } from "../src/state/apply.js";
import { createMachine } from "../src/state/machine.js";
import { PutRequest } from "../src/wire/gen/rpc.js";

const entries = Number(process.argv[2] ?? 200_000);
const keys = Number(process.argv[3] ?? 10_000);
const valueBytes = 256;
const commitEvery = 2_000;
const putField = 4;

const encoder = new EntryEncoder(0x1122334455667788n);
const value = Buffer.alloc(valueBytes, 0x61);

/** The entry number `at`. Keys come in a scattered order, each the same number of times. */
function encodeEntry(at: number): Uint8Array {
  const number = (at * 7919) % keys;
  const key = Buffer.from(`/registry/pods/default/pod-${String(number).padStart(8, "0")}`);
  const put = { key, value, lease: 0n, prev_kv: false, ignore_value: false, ignore_lease: false };
  return encoder.encode(at + 1, putField, PutRequest.encode(put).finish());
}

function commit(backend: Backend): Promise<void> {
  return new Promise((resolve, reject) => {
    backend.commit((error) => (error === undefined ? resolve() : reject(error)));
  });
}

/** Microseconds of `apply` alone, per entry: the mean, and that of the fastest batch. */
async function run(machine: Machine, backend: Backend, first: number): Promise<[number, number]> {
  let spentMs = 0;
  let bestMs = Number.POSITIVE_INFINITY;
  for (let done = first; done < first + entries; done += commitEvery) {
    const batch = Array.from({ length: commitEvery }, (_, at) => encodeEntry(done + at));
    const startMs = performance.now();
    for (const data of batch) {
      const index = machine.appliedIndex + 1;
      machine.apply({ index, term: 1, type: EntryType.normal, data });
    }
    const batchMs = performance.now() - startMs;
    spentMs += batchMs;
    bestMs = Math.min(bestMs, batchMs);
    await commit(backend);
  }
  return [(spentMs * 1_000) / entries, (bestMs * 1_000) / commitEvery];
}

const folder = mkdtempSync(join(tmpdir(), "lockstep-bench-"));
try {
  const backend = createLmdbBackendStore(folder).open("state");
  const machine = createMachine(backend, nodeHash.sha256);
  machine.bootstrap({
    clusterId: 1n,
    members: [{ id: 1n, name: "a", peerUrls: [], clientUrls: [], isLearner: false }],
    index: 1,
    term: 1,
  });
  const [warmUp] = await run(machine, backend, 0);
  const heapBefore = process.memoryUsage().heapUsed;
  const [perEntry, best] = await run(machine, backend, entries);
  const startMs = performance.now();
  createMachine(backend, nodeHash.sha256);
  const restoreMs = performance.now() - startMs;
  console.log(
    `apply of a put: ${perEntry.toFixed(2)} us, in the fastest batch ${best.toFixed(2)} us (first run ${warmUp.toFixed(2)} us)`,
  );
  console.log(`restore of ${machine.kv.revision() - 1} rows: ${restoreMs.toFixed(0)} ms`);
  console.log(
    `heap: ${(heapBefore / 1e6).toFixed(0)} MB before, ${(process.memoryUsage().heapUsed / 1e6).toFixed(0)} MB after`,
  );
  await new Promise<void>((resolve) => backend.close(resolve));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
