/** txn: compares, then requests for success and for failure, each part ended by an empty line. */
import {
  Compare,
  type RequestOp,
  Compare_CompareResult as Result,
  Compare_CompareTarget as Target,
  type TxnResponse,
} from "../../wire/gen/rpc.js";
import { methods } from "./client.js";
import { type Command, type Context, headerFields, show } from "./context.js";
import { CtlError, Exit, parseFlags, parseInteger } from "./flags.js";
import * as kv from "./kv.js";
import { message } from "./print-values.js";

const bad = (text: string): CtlError => new CtlError(text, Exit.badInput);
const RESULTS: Readonly<Record<string, Result>> = {
  "=": Result.EQUAL,
  "!=": Result.NOT_EQUAL,
  ">": Result.GREATER,
  "<": Result.LESS,
};

/** A quoted word without its quotes and escapes. */
function unquoted(word: string): string {
  if (word.startsWith("'")) return word.slice(1, -1);
  return word.startsWith('"') ? String(JSON.parse(word)) : word;
}

function compare(line: string): Compare {
  const match = /^(\w+)\(("(?:[^"\\]|\\.)*")\)\s+(\S+)\s+("(?:[^"\\]|\\.)*")\s*$/.exec(line);
  if (match === null) throw bad(`malformed comparison: ${line}`);
  const [, name = "", key = "", op = "", shown = ""] = match;
  const result = RESULTS[op];
  if (result === undefined) throw bad(`malformed comparison: ${line}`);
  const value = unquoted(shown);
  const start = { ...Compare.decode(new Uint8Array(0)), result, key: Buffer.from(unquoted(key)) };
  const number = (base: 10 | 16): bigint =>
    parseInteger(value, base, () => bad(`invalid txn compare request: ${line}`));
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
        target_union: { $case: "value", value: Buffer.from(value) },
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
  const words = line.match(/"(?:[^"\\]|\\.)*"|'[^']*'|[^'"\s]\S*/g) ?? [];
  const [name, ...rest] = words.map(unquoted);
  const read = (table: Parameters<typeof parseFlags>[1]) => parseFlags(rest, table);
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

async function txn(context: Context): Promise<undefined> {
  const lines = (await kv.standardInput()).toString().split("\n");
  let at = 0;
  const part = <T>(read: (line: string) => T): T[] => {
    const list: T[] = [];
    for (;;) {
      if (at >= lines.length - 1) throw bad("EOF");
      const line = lines[at++] as string;
      if (line === "") return list;
      list.push(read(line));
    }
  };
  const request = { compare: part(compare), success: part(operation), failure: part(operation) };
  const answer = await context.client.call(methods.txn, request);
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

export const txnCommands: Readonly<Record<string, Command>> = { txn: { run: txn } };
