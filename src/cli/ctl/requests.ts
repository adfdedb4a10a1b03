/** Requests from arguments and flags of `get`, `put` and `del`; transactions have the same lines. */
import {
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RangeRequest_SortOrder,
  RangeRequest_SortTarget,
} from "../../wire/gen/rpc.js";
import { whole } from "./client.js";
import { truth } from "./command.js";
import { CtlFailure, exitCodes, refuseArguments } from "./failure.js";
import type { CtlFlag, CtlFlags } from "./flags.js";
import { parseId, quoted } from "./go-text.js";

/** Bytes, or text that is UTF-8. */
type Word = string | Buffer;

const fromKey = Buffer.of(0);

export const getFlags: readonly CtlFlag[] = [
  { name: "consistency", kind: "text", initial: "l", help: "linearizable (l) or serializable (s)" },
  { name: "order", kind: "text", initial: "", help: "ASCEND or DESCEND" },
  { name: "sort-by", kind: "text", initial: "", help: "CREATE, KEY, MODIFY, VALUE or VERSION" },
  { name: "limit", kind: "integer", initial: "0", help: "how many results at most; 0: all" },
  { name: "rev", kind: "integer", initial: "0", help: "read at this revision; 0: the latest" },
  truth("prefix", "all keys that begin with the key"),
  truth("from-key", "all keys from the key on"),
  truth("keys-only", "keys without values"),
  truth("count-only", "only their count"),
  truth("print-value-only", "only values, in the simple format"),
];

export const putFlags: readonly CtlFlag[] = [
  { name: "lease", kind: "text", initial: "0", help: "lease (hexadecimal) to attach to the key" },
  truth("prev-kv", "show what was there before"),
  truth("ignore-value", "keep the key's value"),
  truth("ignore-lease", "keep the key's lease"),
];

export const delFlags: readonly CtlFlag[] = [
  truth("prefix", "all keys that begin with the key"),
  truth("from-key", "all keys from the key on"),
  truth("prev-kv", "show what was deleted"),
];

/** @throws CtlFailure */
export function getRequest(args: readonly Word[], flags: CtlFlags): RangeRequest {
  const [isKeysOnly, isCountOnly] = [flags.boolean("keys-only"), flags.boolean("count-only")];
  if (args.length === 0) {
    refuseArguments("get command needs one argument as key and an optional argument as range_end");
  }
  if (isKeysOnly && isCountOnly) {
    refuseArguments("`--keys-only` and `--count-only` cannot be set at the same time, choose one");
  }
  const { order, target } = sorting(flags);
  return whole(RangeRequest, {
    ...keyRange(args, flags),
    limit: flags.integer("limit"),
    revision: flags.integer("rev"),
    sort_order: order,
    sort_target: target,
    serializable: isSerializable(flags),
    keys_only: isKeysOnly,
    count_only: isCountOnly,
  });
}

/** `value` when it came from standard input. @throws CtlFailure */
export function putRequest(
  args: readonly Word[],
  flags: CtlFlags,
  value: Buffer | undefined,
): PutRequest {
  const [key, given] = args;
  const keepsValue = flags.boolean("ignore-value");
  if (key === undefined) refuseArguments(putNeeds);
  if (keepsValue && args.length > 1) {
    refuseArguments("put command needs only 1 argument when 'ignore-value' is set");
  }
  const bytes = given === undefined ? value : Buffer.from(given);
  if (!keepsValue && bytes === undefined) refuseArguments(putNeeds);
  return whole(PutRequest, {
    key: Buffer.from(key),
    value: keepsValue ? Buffer.alloc(0) : (bytes as Buffer),
    lease: parseId(flags.text("lease"), "lease ID"),
    prev_kv: flags.boolean("prev-kv"),
    ignore_value: keepsValue,
    ignore_lease: flags.boolean("ignore-lease"),
  });
}

const putNeeds = "put command needs 1 argument and input from stdin or 2 arguments";

/** @throws CtlFailure */
export function delRequest(args: readonly Word[], flags: CtlFlags): DeleteRangeRequest {
  if (args.length === 0 || args.length > 2) {
    refuseArguments("del command needs one argument as key and an optional argument as range_end");
  }
  return whole(DeleteRangeRequest, {
    ...keyRange(args, flags),
    prev_kv: flags.boolean("prev-kv"),
  });
}

/** The key and where its range ends; an empty key with a range means every key. @throws CtlFailure */
export function keyRange(
  [given = "", end]: readonly Word[],
  flags: CtlFlags,
): { readonly key: Buffer; readonly range_end: Buffer } {
  const key = Buffer.from(given);
  const [isPrefix, isFromKey] = [flags.boolean("prefix"), flags.boolean("from-key")];
  if (isPrefix && isFromKey) {
    refuseArguments("`--prefix` and `--from-key` cannot be set at the same time, choose one");
  }
  if ((isPrefix || isFromKey) && end !== undefined) {
    refuseArguments(
      "too many arguments, only accept one argument when `--prefix` or `--from-key` is set",
    );
  }
  if (!isPrefix && !isFromKey) return { key, range_end: Buffer.from(end ?? "") };
  if (key.length === 0) return { key: fromKey, range_end: fromKey };
  return { key, range_end: isFromKey ? fromKey : prefixEnd(key) };
}

/** The first key behind all keys with this prefix. */
function prefixEnd(prefix: Buffer): Buffer {
  for (let at = prefix.length - 1; at >= 0; at--) {
    const byte = prefix[at] as number;
    if (byte < 0xff) return Buffer.concat([prefix.subarray(0, at), Buffer.of(byte + 1)]);
  }
  return fromKey;
}

/** @throws CtlFailure */
export function isSerializable(flags: CtlFlags): boolean {
  const consistency = flags.text("consistency");
  if (consistency === "s") return true;
  if (consistency === "l") return false;
  throw new CtlFailure(exitCodes.badFeature, `unknown consistency flag ${quoted(consistency)}`);
}

const targets: Readonly<Record<string, RangeRequest_SortTarget>> = {
  CREATE: RangeRequest_SortTarget.CREATE,
  KEY: RangeRequest_SortTarget.KEY,
  MODIFY: RangeRequest_SortTarget.MOD,
  VALUE: RangeRequest_SortTarget.VALUE,
  VERSION: RangeRequest_SortTarget.VERSION,
};

/** Keys come sorted by themselves: only another order has to be asked for. */
function sorting(flags: CtlFlags): {
  readonly order: RangeRequest_SortOrder;
  readonly target: RangeRequest_SortTarget;
} {
  const orderText = flags.text("order").toUpperCase();
  const targetText = flags.text("sort-by").toUpperCase();
  const target = targets[targetText === "" ? "KEY" : targetText];
  if (target === undefined) {
    throw new CtlFailure(exitCodes.badFeature, `bad sort target ${flags.text("sort-by")}`);
  }
  if (!["", "ASCEND", "DESCEND"].includes(orderText)) {
    throw new CtlFailure(exitCodes.badFeature, `bad sort order ${flags.text("order")}`);
  }
  if (orderText === "DESCEND") return { order: RangeRequest_SortOrder.DESCEND, target };
  const isSorted = orderText === "ASCEND" || targetText !== "";
  const isByKey = target === RangeRequest_SortTarget.KEY;
  const order = isSorted && !isByKey ? RangeRequest_SortOrder.ASCEND : RangeRequest_SortOrder.NONE;
  return { order, target };
}
