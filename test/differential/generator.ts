/**
 * Random sequences of requests over a key space small enough that they meet: puts overwrite,
 * deletes hit, compares succeed, leases exist. Everything comes from the seeded generator, and
 * nothing depends on answers, so a seed is a sequence.
 */
import type { SeededRng } from "../support/seeded-rng.js";
import type { Fields, Operation, Plain } from "./operation.js";

type Draft = { [field: string]: Plain };

const KEYS = ["a", "b", "c", "d", "e", "a/1", "a/2", "a/3", "b/1", "z", "\0", "\xff", "\xff\xff"];
const ENDS = ["b", "c", "d", "a0", "zz", "\0", "\xff", "a"];
export const LEASES: readonly number[] = [11, 12, 13, 14, 9_007_199_254_740_991];
const VALUES = ["", "v", "w", "value", "\0\xff", "10", "9"];
/** Far above any run's length: no lease of a differential run expires. */
const LONG_TTL_SECONDS = 50_000;

function revision(rng: SeededRng): Plain {
  const draw = rng.int(20);
  if (draw === 0) return { back: -1 - rng.int(3) };
  if (draw === 1) return rng.int(4) - 2;
  return { back: rng.int(draw < 15 ? 12 : 150) };
}

function keyRange(rng: SeededRng): Draft {
  const draw = rng.int(10);
  if (draw < 3) return { key: rng.pick(KEYS) };
  if (draw < 5) return { key: "a/", range_end: "a0" };
  if (draw === 5) return { key: "\0", range_end: "\0" };
  return { key: rng.pick(KEYS), range_end: rng.pick(ENDS) };
}

function range(rng: SeededRng): Draft {
  const fields = keyRange(rng);
  if (rng.chance(35)) fields.revision = revision(rng);
  if (rng.chance(30)) fields.limit = rng.int(6) - 1;
  if (rng.chance(40)) fields.sort_order = rng.int(3);
  if (rng.chance(40)) fields.sort_target = rng.int(5);
  if (rng.chance(20)) fields.serializable = true;
  if (rng.chance(15)) fields.keys_only = true;
  if (rng.chance(10)) fields.count_only = true;
  for (const filter of ["min_mod", "max_mod", "min_create", "max_create"]) {
    if (rng.chance(8)) fields[`${filter}_revision`] = revision(rng);
  }
  return fields;
}

function value(rng: SeededRng): Plain {
  if (rng.chance(3)) return { fill: 1 + rng.int(20_000) };
  return rng.chance(50) ? rng.pick(VALUES) : `v${rng.int(1_000)}`;
}

function put(rng: SeededRng): Draft {
  const fields: Draft = { key: rng.pick(KEYS) };
  if (rng.chance(7)) fields.ignore_value = true;
  else fields.value = value(rng);
  if (rng.chance(5)) fields.ignore_lease = true;
  else if (rng.chance(20)) fields.lease = rng.pick(LEASES);
  if (rng.chance(25)) fields.prev_kv = true;
  return fields;
}

function deleteRange(rng: SeededRng): Draft {
  const fields = keyRange(rng);
  // The whole key space only now and then: an empty store teaches little.
  if (fields.range_end === "\0" && rng.chance(80)) delete fields.range_end;
  if (rng.chance(40)) fields.prev_kv = true;
  return fields;
}

function compare(rng: SeededRng): Draft {
  const fields: Draft = { key: rng.pick(KEYS), result: rng.int(4) };
  if (rng.chance(15)) fields.range_end = rng.pick(ENDS);
  const target = rng.int(5);
  fields.target = target;
  if (rng.chance(3)) return fields;
  const unions: readonly (() => Draft)[] = [
    () => ({ version: rng.int(4) }),
    () => ({ create_revision: rng.chance(40) ? 0 : revision(rng) }),
    () => ({ mod_revision: rng.chance(20) ? 0 : revision(rng) }),
    () => ({ value: rng.pick(VALUES) }),
    () => ({ lease: rng.chance(50) ? 0 : rng.pick(LEASES) }),
  ];
  fields.target_union = (unions[target] as () => Draft)();
  return fields;
}

function many<T>(rng: SeededRng, most: number, make: () => T): T[] {
  return Array.from({ length: rng.int(most + 1) }, make);
}

/**
 * etcd finds no overlap between a delete up to "\0" (from key on) and a put of such a key, and a
 * key that changes twice in one revision ends it later (a put that keeps the deleted value; a range
 * after a compaction there): transactions have no such delete.
 */
function requestOp(rng: SeededRng, depth: number): Draft {
  const draw = rng.int(20);
  if (draw === 0) return rng.chance(15) ? {} : { request_range: range(rng) };
  if (draw < 9) return { request_put: put(rng) };
  if (draw < 13) {
    const fields = deleteRange(rng);
    if (fields.range_end === "\0") fields.range_end = "zz";
    return { request_delete_range: fields };
  }
  if (draw < 16 && depth < 3) return { request_txn: txn(rng, depth + 1) };
  return { request_range: range(rng) };
}

function txn(rng: SeededRng, depth: number): Draft {
  return {
    compare: many(rng, 2, () => compare(rng)),
    success: many(rng, 4, () => requestOp(rng, depth)),
    failure: many(rng, 4, () => requestOp(rng, depth)),
  };
}

const INVALID: readonly ((rng: SeededRng) => Operation)[] = [
  () => ({ call: "put", fields: { value: "v" } }),
  () => ({ call: "range", fields: {} }),
  () => ({ call: "deleteRange", fields: { range_end: "b" } }),
  () => ({ call: "put", fields: { key: "a", value: "v", ignore_value: true } }),
  () => ({ call: "put", fields: { key: "a", lease: 11, ignore_lease: true } }),
  () => ({ call: "put", fields: { key: "missing", ignore_value: true } }),
  () => ({ call: "put", fields: { key: "a", lease: 404 } }),
  () => ({ call: "txn", fields: {} }),
  () => ({ call: "txn", fields: { success: [{}] } }),
  () => ({ call: "txn", fields: { compare: [{ result: 0, target: 0 }] } }),
  () => ({
    call: "txn",
    fields: { success: [{ request_put: { key: "a" } }, { request_put: { key: "a" } }] },
  }),
  () => ({
    call: "txn",
    fields: {
      success: [
        { request_put: { key: "a" } },
        { request_delete_range: { key: "a", range_end: "b" } },
      ],
    },
  }),
  (rng) => ({
    call: "txn",
    fields: {
      success: Array.from({ length: 127 + rng.int(3) }, () => ({ request_range: { key: "a" } })),
    },
  }),
  () => ({ call: "leaseGrant", fields: { ID: 77, TTL: 9_000_000_001 } }),
  () => ({ call: "leaseRevoke", fields: { ID: 404 } }),
  () => ({ call: "compact", fields: { revision: { back: -5 } } }),
  () => ({ call: "compact", fields: { revision: 1 } }),
  () => ({ call: "hashKv", fields: { revision: { back: -2 } } }),
  () => ({ call: "put", fields: { key: "a", value: { fill: 1_700_000 } } }),
];

function compaction(rng: SeededRng): Fields {
  const fields: Draft = { revision: { back: rng.int(rng.chance(70) ? 40 : 4) } };
  if (rng.chance(20)) fields.physical = true;
  return fields;
}

function lease(rng: SeededRng): Operation {
  const ID = rng.pick(LEASES);
  const draw = rng.int(10);
  if (draw < 5) return { call: "leaseGrant", fields: { ID, TTL: LONG_TTL_SECONDS + rng.int(5) } };
  if (draw < 7) return { call: "leaseRevoke", fields: { ID } };
  if (draw < 9) return { call: "leaseTimeToLive", fields: { ID, keys: rng.chance(70) } };
  return { call: "leases", fields: {} };
}

function operation(rng: SeededRng): Operation {
  const draw = rng.int(100);
  if (draw < 30) return { call: "put", fields: put(rng) };
  if (draw < 52) return { call: "range", fields: range(rng) };
  if (draw < 60) return { call: "deleteRange", fields: deleteRange(rng) };
  if (draw < 80) return { call: "txn", fields: txn(rng, 0) };
  if (draw < 91) return lease(rng);
  if (draw < 93) return { call: "compact", fields: compaction(rng) };
  if (draw < 96) return { call: "hashKv", fields: { revision: { back: rng.int(100) } } };
  return rng.pick(INVALID)(rng);
}

/** Empties the store but for its history, so that a sequence does not hang on those before it. */
export function wipe(): Operation[] {
  return [
    { call: "deleteRange", fields: { key: "\0", range_end: "\0" } },
    ...LEASES.map((ID): Operation => ({ call: "leaseRevoke", fields: { ID } })),
  ];
}

/** `length` operations, then HashKV at several revisions. */
export function sequence(rng: SeededRng, length: number): Operation[] {
  const operations = Array.from({ length }, () => operation(rng));
  for (const back of [0, 1, 7, 30]) {
    operations.push({ call: "hashKv", fields: { revision: back === 0 ? 0 : { back } } });
  }
  return operations;
}
