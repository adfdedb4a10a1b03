/** The commands get, put, del: one request each, answers in etcdctl's formats. */
import { prefixEnd } from "../../base/bytes.js";
import {
  type DeleteRangeResponse,
  RangeRequest_SortOrder as Order,
  type PutResponse,
  RangeRequest,
  type RangeResponse,
  RangeRequest_SortTarget as Target,
} from "../../wire/gen/rpc.js";
import {
  type Command,
  type Context,
  headerFields,
  keyValueFields,
  keyValueLines,
  show,
} from "./context.js";
import { CtlError, Exit, type Flags, type FlagTable, parseInteger } from "./flags.js";
import { methods } from "./method.js";
import { message, shownBytes } from "./print-values.js";

export const getFlags: FlagTable = {
  consistency: "l",
  order: "",
  "sort-by": "",
  limit: "0",
  prefix: false,
  "from-key": false,
  rev: "0",
  "keys-only": false,
  "count-only": false,
  "print-value-only": false,
};
export const putFlags: FlagTable = {
  lease: "0",
  "prev-kv": false,
  "ignore-value": false,
  "ignore-lease": false,
};
export const delFlags: FlagTable = { prefix: false, "prev-kv": false, "from-key": false };

/** A word as text, or as the bytes of a word that is not valid text. */
type Word = string | Buffer;

const ZERO = Buffer.alloc(1);
const bad = (text: string): CtlError => new CtlError(text, Exit.badArgs);

/** Key and end of the range that words, --prefix and --from-key name. */
export function keyRangeOf(
  args: readonly Word[],
  flags: Flags,
): { key: Buffer; range_end: Buffer } {
  const key = Buffer.from((args[0] as Buffer | undefined) ?? "");
  const isWide = flags.isOn("prefix") || flags.isOn("from-key");
  const start = key.length === 0 && isWide ? ZERO : key;
  if (flags.isOn("prefix")) return { key: start, range_end: Buffer.from(prefixEnd(key)) };
  if (flags.isOn("from-key")) return { key: start, range_end: ZERO };
  return { key, range_end: Buffer.from((args[1] as Buffer | undefined) ?? "") };
}

function checkRange(name: "get" | "del", args: readonly Word[], flags: Flags): void {
  if (flags.isOn("prefix") && flags.isOn("from-key")) {
    throw bad("`--prefix` and `--from-key` cannot be set at the same time, choose one");
  }
  // etcdctl ignores a third word of get, but refuses an ambiguous command line of del.
  if (args.length === 0 || (name === "del" && args.length > 2)) {
    throw bad(`${name} command needs one argument as key and an optional argument as range_end`);
  }
  if (args.length > 1 && (flags.isOn("prefix") || flags.isOn("from-key"))) {
    throw bad(
      "too many arguments, only accept one argument when `--prefix` or `--from-key` is set",
    );
  }
}

const ORDERS: Readonly<Record<string, Order>> = {
  "": Order.NONE,
  ASCEND: Order.ASCEND,
  DESCEND: Order.DESCEND,
};
const TARGETS: Readonly<Record<string, Target>> = {
  "": Target.KEY,
  KEY: Target.KEY,
  CREATE: Target.CREATE,
  MODIFY: Target.MOD,
  VALUE: Target.VALUE,
  VERSION: Target.VERSION,
};

export function rangeRequest(args: readonly Word[], flags: Flags): RangeRequest {
  checkRange("get", args, flags);
  if (flags.isOn("keys-only") && flags.isOn("count-only")) {
    throw bad("`--keys-only` and `--count-only` cannot be set at the same time, choose one");
  }
  const consistency = flags.text("consistency");
  if (consistency !== "l" && consistency !== "s") {
    throw new CtlError(`unknown consistency flag "${consistency}"`, Exit.badFeature);
  }
  const order = ORDERS[flags.text("order").toUpperCase()];
  if (order === undefined)
    throw new CtlError(`bad sort order ${flags.text("order")}`, Exit.badFeature);
  const target = TARGETS[flags.text("sort-by").toUpperCase()];
  if (target === undefined)
    throw new CtlError(`bad sort target ${flags.text("sort-by")}`, Exit.badFeature);
  return {
    ...RangeRequest.decode(new Uint8Array(0)),
    ...keyRangeOf(args, flags),
    limit: flags.integer("limit"),
    revision: flags.integer("rev"),
    sort_order: target === Target.KEY && order === Order.ASCEND ? Order.NONE : order,
    sort_target: target,
    serializable: consistency === "s",
    keys_only: flags.isOn("keys-only"),
    count_only: flags.isOn("count-only"),
  };
}

export function putRequest(args: readonly Word[], flags: Flags, input?: Buffer) {
  const ignoresValue = flags.isOn("ignore-value");
  if (args.length === 0)
    throw bad("put command needs 1 argument and input from stdin or 2 arguments");
  if (ignoresValue && args.length > 1) {
    throw bad("put command needs only 1 argument when 'ignore-value' is set");
  }
  const value = ignoresValue
    ? Buffer.alloc(0)
    : args[1] === undefined
      ? input
      : Buffer.from(args[1] as Buffer);
  if (value === undefined || (value.length === 0 && args[1] === undefined && !ignoresValue)) {
    throw bad("put command needs 1 argument and input from stdin or 2 arguments");
  }
  return {
    key: Buffer.from(args[0] as Buffer),
    value,
    lease: parseInteger(flags.text("lease"), 16, (why) =>
      bad(`bad lease ID (${why}), expecting ID in Hex`),
    ),
    prev_kv: flags.isOn("prev-kv"),
    ignore_value: ignoresValue,
    ignore_lease: flags.isOn("ignore-lease"),
  };
}

export function deleteRequest(args: readonly Word[], flags: Flags) {
  checkRange("del", args, flags);
  return { ...keyRangeOf(args, flags), prev_kv: flags.isOn("prev-kv") };
}

const lines = (parts: readonly Uint8Array[]): Uint8Array => Buffer.concat(parts);

export const rangeLines = (answer: RangeResponse, hex: boolean): Uint8Array =>
  lines(answer.kvs.map((kv) => keyValueLines(kv, hex)));
export const rangeFields = (answer: RangeResponse): string =>
  `${headerFields(answer.header)}${answer.kvs.map((kv) => keyValueFields(kv)).join("")}` +
  `"More" : ${answer.more}\n"Count" : ${answer.count}\n`;
export const putLines = (answer: PutResponse, hex: boolean): Uint8Array =>
  lines([Buffer.from("OK\n"), ...(answer.prev_kv ? [keyValueLines(answer.prev_kv, hex)] : [])]);
export const putFields = (answer: PutResponse): string =>
  headerFields(answer.header) + (answer.prev_kv ? keyValueFields(answer.prev_kv, "Prev") : "");
export const deleteLines = (answer: DeleteRangeResponse, hex: boolean): Uint8Array =>
  lines([
    Buffer.from(`${answer.deleted}\n`),
    ...answer.prev_kvs.map((kv) => keyValueLines(kv, hex)),
  ]);
export const deleteFields = (answer: DeleteRangeResponse): string =>
  `${headerFields(answer.header)}"Deleted" : ${answer.deleted}\n` +
  answer.prev_kvs.map((kv) => keyValueFields(kv, "Prev")).join("");

export async function standardInput(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function get(context: Context): Promise<undefined> {
  const { flags, format, hex } = context;
  const request = rangeRequest(context.args, flags);
  if (flags.isOn("print-value-only") && format !== "simple") {
    throw bad("print-value-only is only for `--write-out=simple`");
  }
  if (request.count_only && format !== "fields") {
    throw bad("--count-only is only for `--write-out=fields`");
  }
  const answer = await context.client.call(methods.range, request);
  const newline = Buffer.from("\n");
  show(context, {
    simple: () =>
      flags.isOn("print-value-only")
        ? lines(answer.kvs.flatMap((kv) => [shownBytes(kv.value, hex), newline]))
        : rangeLines(answer, hex),
    json: () => message(answer),
    fields: () => rangeFields(answer),
  });
}

async function put(context: Context): Promise<undefined> {
  const { args, flags, hex } = context;
  const needsInput = args.length === 1 && !flags.isOn("ignore-value");
  const request = putRequest(args, flags, needsInput ? await standardInput() : undefined);
  const answer = await context.client.call(methods.put, request);
  show(context, {
    simple: () => putLines(answer, hex),
    json: () => message(answer),
    fields: () => putFields(answer),
  });
}

async function del(context: Context): Promise<undefined> {
  const answer = await context.client.call(
    methods.deleteRange,
    deleteRequest(context.args, context.flags),
  );
  show(context, {
    simple: () => deleteLines(answer, context.hex),
    json: () => message(answer),
    fields: () => deleteFields(answer),
  });
}

export const kvCommands: Readonly<Record<string, Command>> = {
  get: { flags: getFlags, run: get },
  put: { flags: putFlags, run: put },
  del: { flags: delFlags, run: del },
};
