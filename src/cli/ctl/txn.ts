/**
 * The command txn: reads compares, then requests for success and for failure, each part ended by an
 * empty line.
 */
import readline from "node:readline";
import {
  Compare,
  type RequestOp,
  Compare_CompareResult as Result,
  Compare_CompareTarget as Target,
  type TxnResponse,
} from "../../wire/gen/rpc.js";
import { type Command, type Context, headerFields, print, show } from "./context.js";
import { CtlError, Exit, type FlagTable, parseFlags, parseInteger } from "./flags.js";
import { unquoted } from "./go-unquote.js";
import * as kv from "./kv.js";
import { methods } from "./method.js";
import { message } from "./print-values.js";

const bad = (text: string): CtlError => new CtlError(text, Exit.badInput);
const RESULTS: Readonly<Record<string, Result>> = {
  "=": Result.EQUAL,
  "!=": Result.NOT_EQUAL,
  ">": Result.GREATER,
  "<": Result.LESS,
};

/** Words as byte strings, one character per byte, because a value may be any bytes. */
function splitWords(line: string): string[] {
  const words = line.match(/"(?:[^"\\]|\\.)*"|'[^']*'|[^'"\s]\S*/g) ?? [];
  return words.map((word) => {
    const isPlain = !/^["']/.test(word);
    const bytes = isPlain ? Buffer.from(word) : inQuotes(word);
    if (bytes === undefined) throw bad(`invalid txn request: ${line}`);
    return bytes.toString("latin1");
  });
}

function inQuotes(word: string): Buffer | undefined {
  return word.startsWith("'") ? Buffer.from(word.slice(1, -1)) : unquoted(word);
}

function compare(line: string): Compare {
  const match = /^(\w+)\(("(?:[^"\\]|\\.)*")\)\s+(\S+)\s+("(?:[^"\\]|\\.)*")\s*$/.exec(line);
  if (match === null) throw bad(`malformed comparison: ${line}`);
  const [, name = "", key = "", op = "", shown = ""] = match;
  const result = RESULTS[op];
  if (result === undefined) throw bad(`malformed comparison: ${line}`);
  const [bytes, value] = [unquoted(key), unquoted(shown)];
  if (bytes === undefined || value === undefined) throw bad(`malformed comparison: ${line}`);
  const start = { ...Compare.decode(new Uint8Array(0)), result, key: bytes };
  const number = (base: 10 | 16): bigint =>
    parseInteger(value.toString(), base, () => bad(`invalid txn compare request: ${line}`));
  switch (name) {
    case "ver":
    case "version":
      return {
        ...start,
        target: Target.VERSION,
        target_union: { $case: "version", value: number(10) },
      };
    case "c":
    case "create":
      return {
        ...start,
        target: Target.CREATE,
        target_union: { $case: "create_revision", value: number(10) },
      };
    case "m":
    case "mod":
      return {
        ...start,
        target: Target.MOD,
        target_union: { $case: "mod_revision", value: number(10) },
      };
    case "val":
    case "value":
      return {
        ...start,
        target: Target.VALUE,
        target_union: { $case: "value", value },
      };
    case "lease":
      return {
        ...start,
        target: Target.LEASE,
        target_union: { $case: "lease", value: number(16) },
      };
    default:
      throw bad(`malformed comparison: ${line} (unknown target ${name})`);
  }
}

function operation(line: string): RequestOp {
  const [name, ...rest] = splitWords(line);
  const read = (table: FlagTable) => {
    const { args, flags } = parseFlags(rest, table);
    return { args: args.map((word) => Buffer.from(word, "latin1")), flags };
  };
  if (name === "put") {
    const { args, flags } = read(kv.putFlags);
    return { request: { $case: "request_put", value: kv.putRequest(args, flags) } };
  }
  if (name === "get") {
    const { args, flags } = read(kv.getFlags);
    return { request: { $case: "request_range", value: kv.rangeRequest(args, flags) } };
  }
  if (name === "del") {
    const { args, flags } = read(kv.delFlags);
    return { request: { $case: "request_delete_range", value: kv.deleteRequest(args, flags) } };
  }
  throw bad(`invalid txn request: ${line}`);
}

function view({ responses }: TxnResponse, hex: boolean, fields: boolean): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const { response } of responses) {
    if (!fields) parts.push(Buffer.from("\n"));
    let part: Uint8Array | string = "";
    if (response?.$case === "response_put")
      part = fields ? kv.putFields(response.value) : kv.putLines(response.value, hex);
    if (response?.$case === "response_range")
      part = fields ? kv.rangeFields(response.value) : kv.rangeLines(response.value, hex);
    if (response?.$case === "response_delete_range")
      part = fields ? kv.deleteFields(response.value) : kv.deleteLines(response.value, hex);
    parts.push(Buffer.from(part as string));
  }
  return Buffer.concat(parts);
}

/** @throws CtlError that names the line, whatever is wrong in it */
function request(line: string): RequestOp {
  try {
    return operation(line);
  } catch (error) {
    if (!(error instanceof CtlError) || error.exit === Exit.badInput) throw error;
    throw bad(`invalid txn request: ${line} (${error.message})`);
  }
}

async function txn(context: Context): Promise<undefined> {
  const lines = readline
    .createInterface({ input: process.stdin, terminal: false })
    [Symbol.asyncIterator]();
  const part = async <T>(prompt: string, read: (line: string) => T): Promise<T[]> => {
    if (context.flags.isOn("interactive")) print(`${prompt}:\n`);
    const list: T[] = [];
    for (;;) {
      const next = await lines.next();
      if (next.done === true) throw bad("EOF");
      if (next.value === "") return list;
      list.push(read(next.value));
    }
  };
  const wanted = {
    compare: await part("compares", compare),
    success: await part("success requests (get, put, del)", request),
    failure: await part("failure requests (get, put, del)", request),
  };
  const answer = await context.client.call(methods.txn, wanted);
  show(context, {
    simple: () =>
      Buffer.concat([
        Buffer.from(answer.succeeded ? "SUCCESS\n" : "FAILURE\n"),
        view(answer, context.hex, false),
      ]),
    json: () => message(answer),
    fields: () =>
      Buffer.concat([
        Buffer.from(`${headerFields(answer.header)}"Succeeded" : ${answer.succeeded}\n`),
        view(answer, context.hex, true),
      ]),
  });
}

export const txnCommands: Readonly<Record<string, Command>> = {
  txn: { flags: { interactive: false }, run: txn },
};
