/**
 * For tests only: random commands over so few keys that they often meet, and a comparable form of a
 * machine's answers. A command is drawn as a function of the current revision, because only
 * revisions near it are interesting.
 */
import fc from "fast-check";
import { KvError } from "../base/errors.js";
import type { EncodedRows } from "../wire/encoded-rows.js";
import { KeyValue } from "../wire/gen/kv.js";
import {
  type Compare,
  type RangeRequest,
  RangeResponse,
  type RequestOp,
  type TxnRequest,
} from "../wire/gen/rpc.js";
import { decodeKeyValue } from "../wire/key-value.js";
import type { KvModel, ModelKv } from "./kv-model.fixture.js";
import { bytes, type Command, text } from "./machine.fixture.js";
import type { KvBytes, Outcome } from "./types.js";

/** What was drawn, given the current revision. */
export type Drawn<T> = (revision: number) => T;

const keys = ["a", "b", "c", "a/1", "a/2", "\0", "\xff", "\xff\xff"];
const ends = ["", "", "b", "c", "a0", "\0", "\xff", "a"];
const values = ["", "v", "w", "\0\xff", "10", "9"];
const leases = [1n, 2n, -3n];

const key = fc.constantFrom(...keys).map(bytes);
const end = fc.constantFrom(...ends).map(bytes);
const value = fc.constantFrom(...values).map(bytes);
const rarely = (weight: number): fc.Arbitrary<boolean> =>
  fc.integer({ min: 1, max: weight }).map((draw) => draw === 1);

/** Mostly 0, else a revision near the current one; sometimes beyond it, or negative. */
const revision: fc.Arbitrary<Drawn<bigint>> = fc
  .oneof(
    { weight: 12, arbitrary: fc.constant("now" as const) },
    { weight: 10, arbitrary: fc.integer({ min: -1, max: 15 }) },
    { weight: 1, arbitrary: fc.constant("negative" as const) },
  )
  .map((draw) => (current) => {
    if (draw === "now") return 0n;
    return draw === "negative" ? -2n : BigInt(Math.max(0, current - draw));
  });
const bound: fc.Arbitrary<Drawn<bigint>> = fc
  .option(fc.integer({ min: -1, max: 12 }), { freq: 6 })
  .map((back) => (current) => (back === null ? 0n : BigInt(current - back)));

/** Bounds of mod and create revisions; often there are none at all. */
const bounds = fc.oneof(
  fc.tuple(bound, bound, bound, bound),
  fc.constant<Drawn<bigint>[]>(Array.from({ length: 4 }, () => () => 0n)),
);

const put = fc.record({
  key,
  value,
  lease: fc.oneof(
    { weight: 4, arbitrary: fc.constant(0n) },
    { weight: 1, arbitrary: fc.constantFrom(...leases) },
  ),
  prev_kv: fc.boolean(),
  ignore_value: rarely(8),
  ignore_lease: rarely(8),
});
const deleteRange = fc.record({ key, range_end: end, prev_kv: fc.boolean() });

export const range: fc.Arbitrary<Drawn<RangeRequest>> = fc
  .record({
    key,
    range_end: end,
    limit: fc.bigInt(-1n, 4n),
    sort_order: fc.integer({ min: 0, max: 2 }),
    sort_target: fc.integer({ min: 0, max: 4 }),
    serializable: fc.boolean(),
    keys_only: rarely(6),
    count_only: rarely(6),
    revision,
    bounds,
  })
  .map(({ revision: at, bounds: four, ...fields }) => (current) => {
    const [minMod = 0n, maxMod = 0n, minCreate = 0n, maxCreate = 0n] = four.map((b) => b(current));
    return {
      ...fields,
      revision: at(current),
      min_mod_revision: minMod,
      max_mod_revision: maxMod,
      min_create_revision: minCreate,
      max_create_revision: maxCreate,
    };
  });

const target: fc.Arbitrary<Drawn<Pick<Compare, "target" | "target_union">>> = fc.oneof(
  fc.bigInt(0n, 3n).map((version) => () => ({
    target: 0,
    target_union: { $case: "version" as const, value: version },
  })),
  bound.map((at) => (current: number) => ({
    target: 1,
    target_union: { $case: "create_revision" as const, value: at(current) },
  })),
  bound.map((at) => (current: number) => ({
    target: 2,
    target_union: { $case: "mod_revision" as const, value: at(current) },
  })),
  value.map((wanted) => () => ({
    target: 3,
    target_union: { $case: "value" as const, value: wanted },
  })),
  fc.constantFrom(0n, ...leases).map((lease) => () => ({
    target: 4,
    target_union: { $case: "lease" as const, value: lease },
  })),
  fc.integer({ min: 0, max: 4 }).map((only) => () => ({ target: only, target_union: undefined })),
);
const compare: fc.Arbitrary<Drawn<Compare>> = fc
  .record({ key, range_end: end, result: fc.integer({ min: 0, max: 3 }), target })
  .map(({ target: drawn, ...fields }) => (current) => ({ ...fields, ...drawn(current) }));

function txn(depth: number): fc.Arbitrary<Drawn<TxnRequest>> {
  const leaf: fc.Arbitrary<Drawn<RequestOp["request"]>>[] = [
    put.map((op) => () => ({ $case: "request_put", value: op })),
    deleteRange.map((op) => () => ({ $case: "request_delete_range", value: op })),
    range.map((drawn) => (current) => ({ $case: "request_range", value: drawn(current) })),
  ];
  const nested: typeof leaf =
    depth === 0
      ? []
      : [txn(depth - 1).map((drawn) => (at) => ({ $case: "request_txn", value: drawn(at) }))];
  const ops = fc.array(fc.oneof(...leaf, ...nested), { maxLength: 4 });
  return fc
    .record({ compare: fc.array(compare, { maxLength: 3 }), success: ops, failure: ops })
    .map((drawn) => (current) => ({
      compare: drawn.compare.map((each) => each(current)),
      success: drawn.success.map((op) => ({ request: op(current) })),
      failure: drawn.failure.map((op) => ({ request: op(current) })),
    }));
}

/** Commands with an effect on the key space; compaction with weight `compaction`. */
export function command(weights: { readonly compaction: number }): fc.Arbitrary<Drawn<Command>> {
  return fc.oneof(
    { weight: 10, arbitrary: put.map((op) => () => ({ $case: "put" as const, value: op })) },
    {
      weight: 4,
      arbitrary: deleteRange.map((op) => () => ({ $case: "delete_range" as const, value: op })),
    },
    {
      weight: 8,
      arbitrary: txn(2).map((drawn) => (at: number) => ({
        $case: "txn" as const,
        value: drawn(at),
      })),
    },
    {
      weight: weights.compaction,
      arbitrary: fc.integer({ min: -1, max: 12 }).map((back) => (at: number) => ({
        $case: "compaction" as const,
        value: { revision: BigInt(at - back), physical: false },
      })),
    },
    {
      weight: 2,
      arbitrary: fc.constantFrom(...leases).map((ID) => () => ({
        $case: "lease_grant" as const,
        value: { ID, TTL: 60n },
      })),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom(...leases).map((ID) => () => ({
        $case: "lease_revoke" as const,
        value: { ID },
      })),
    },
  );
}

/** What the model answers to a command, in the form of `shown`. */
export function runModel(model: KvModel, { $case, value: request }: Command): unknown {
  try {
    return model.run(() => {
      switch ($case) {
        case "put":
          return model.put(request);
        case "delete_range":
          return model.deleteRange(request);
        case "txn":
          return model.txn(request);
        case "compaction":
          model.compact(Number(request.revision));
          return { kind: "compaction" };
        case "lease_grant":
          if (model.leases.has(request.ID)) throw new KvError("leaseExists");
          model.leases.add(request.ID);
          return { kind: "leaseGrant", id: request.ID, ttl: Number(request.TTL) };
        case "lease_revoke":
          model.revoke(request.ID);
          return { kind: "leaseRevoke", id: request.ID };
        default:
          throw new Error(`the model has no ${$case}`);
      }
    });
  } catch (error) {
    if (error instanceof KvError) return error.reason;
    throw error;
  }
}

/** An outcome with its KeyValues decoded. For an error: its reason. */
export function shown(outcome: Outcome | KvError): unknown {
  if (outcome instanceof KvError) return outcome.reason;
  switch (outcome.kind) {
    case "range": {
      const { encoded, ...rest } = outcome;
      return { ...rest, kvs: [...outcome.kvs, ...rowsOf(encoded)].map(shownKv) };
    }
    case "put":
      return { kind: "put", prevKv: outcome.prevKv && shownKv(outcome.prevKv) };
    case "deleteRange":
      return { ...outcome, prevKvs: outcome.prevKvs.map(shownKv) };
    case "txn":
      return {
        ...outcome,
        responses: outcome.responses.map(({ revision: at, outcome: inner }) => ({
          revision: at,
          outcome: shown(inner),
        })),
      };
    default:
      return outcome;
  }
}

/** The rows of a large range, one by one. */
function rowsOf(encoded: EncodedRows | undefined): KvBytes[] {
  const { kvs } = RangeResponse.decode(Buffer.concat(encoded?.pieces ?? []));
  return kvs.map((kv) => KeyValue.encode(kv).finish());
}

export function shownKv(kv: KvBytes): ModelKv {
  const fields = decodeKeyValue(kv);
  return {
    key: text(fields.key),
    create: fields.createRevision,
    mod: fields.modRevision,
    version: fields.version,
    value: text(fields.value),
    lease: fields.lease,
  };
}

/** The answer of a call that may throw a KvError. */
export function attempt(call: () => Outcome): unknown {
  try {
    return shown(call());
  } catch (error) {
    if (error instanceof KvError) return error.reason;
    throw error;
  }
}

export function attemptModel(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    if (error instanceof KvError) return error.reason;
    throw error;
  }
}
