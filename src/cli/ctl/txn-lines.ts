/**
 * The lines of a transaction: comparisons like `mod("key") > "0"`, and requests like
 * `put key "a value"`, whose words are split as a shell would, with Go's escapes in double quotes.
 */
import {
  Compare,
  Compare_CompareResult,
  Compare_CompareTarget,
  type RequestOp,
} from "../../wire/gen/rpc.js";
import { whole } from "./client.js";
import { CtlFailure, exitCodes } from "./failure.js";
import { type CtlFlag, parseFlags } from "./flags.js";
import { parseInt64, quoted } from "./go-text.js";
import { delFlags, delRequest, getFlags, getRequest, putFlags, putRequest } from "./requests.js";

const results: Readonly<Record<string, Compare_CompareResult>> = {
  "=": Compare_CompareResult.EQUAL,
  "!=": Compare_CompareResult.NOT_EQUAL,
  ">": Compare_CompareResult.GREATER,
  "<": Compare_CompareResult.LESS,
};

const targets: Readonly<Record<string, Compare_CompareTarget>> = {
  ver: Compare_CompareTarget.VERSION,
  version: Compare_CompareTarget.VERSION,
  c: Compare_CompareTarget.CREATE,
  create: Compare_CompareTarget.CREATE,
  m: Compare_CompareTarget.MOD,
  mod: Compare_CompareTarget.MOD,
  val: Compare_CompareTarget.VALUE,
  value: Compare_CompareTarget.VALUE,
  lease: Compare_CompareTarget.LEASE,
};

const comparison = /^(\w+)\(("(?:[^"\\]|\\.)*")\)\s+(\S+)\s+("(?:[^"\\]|\\.)*")\s*$/;

/** @throws CtlFailure */
export function parseComparison(line: string): Compare {
  const parts = comparison.exec(line);
  if (parts === null) throw badInput(`malformed comparison: ${line}`);
  const [, name = "", keyText = "", operator = "", valueText = ""] = parts;
  const target = targets[name];
  const result = results[operator];
  if (target === undefined) {
    throw badInput(`malformed comparison: ${line} (unknown target ${name})`);
  }
  if (result === undefined) {
    throw badInput(`malformed comparison: ${line} (unknown operator ${operator})`);
  }
  const [key, value] = [unquoted(keyText), unquoted(valueText)];
  if (key === undefined || value === undefined) throw badInput(`malformed comparison: ${line}`);
  const target_union = comparand(target, value);
  if (target_union === undefined) throw badInput(`invalid txn compare request: ${line}`);
  return whole(Compare, { target, result, key, target_union });
}

/** Leases are hexadecimal, as everywhere. */
function comparand(target: Compare_CompareTarget, value: Buffer): Compare["target_union"] {
  if (target === Compare_CompareTarget.VALUE) return { $case: "value", value };
  const isLease = target === Compare_CompareTarget.LEASE;
  const number = parseInt64(value.toString(), { base: isLease ? 16 : 10 });
  if (number instanceof Error) return undefined;
  switch (target) {
    case Compare_CompareTarget.VERSION:
      return { $case: "version", value: number };
    case Compare_CompareTarget.CREATE:
      return { $case: "create_revision", value: number };
    case Compare_CompareTarget.MOD:
      return { $case: "mod_revision", value: number };
    default:
      return { $case: "lease", value: number };
  }
}

/** @throws CtlFailure */
export function parseRequest(line: string): RequestOp {
  const [command, ...words] = splitWords(line);
  try {
    const request = requestOf(command ?? "", words);
    if (request !== undefined) return { request };
  } catch (error) {
    if (!(error instanceof CtlFailure)) throw error;
    throw badInput(`invalid txn request: ${line} (${error.message})`);
  }
  throw badInput(`invalid txn request: ${line}`);
}

/** @throws CtlFailure */
function requestOf(command: string, words: readonly string[]): RequestOp["request"] {
  const parsed = (known: readonly CtlFlag[]) => {
    const { flags, words: before, after } = parseFlags(words, known);
    return { flags, args: [...before, ...after].map((word) => Buffer.from(word, "latin1")) };
  };
  if (command === "get") {
    const { flags, args } = parsed(getFlags);
    return { $case: "request_range", value: getRequest(args, flags) };
  }
  if (command === "put") {
    const { flags, args } = parsed(putFlags);
    return { $case: "request_put", value: putRequest(args, flags, undefined) };
  }
  if (command === "del") {
    const { flags, args } = parsed(delFlags);
    return { $case: "request_delete_range", value: delRequest(args, flags) };
  }
  return undefined;
}

/** Words as byte strings: a character for each byte, because a value may be any bytes. */
function splitWords(line: string): string[] {
  const words = line.match(/"(?:[^"\\]|\\.)*"|'[^']*'|\S+/g) ?? [];
  return words.map((word) => {
    if (word.startsWith("'") && word.length > 1) return byteString(Buffer.from(word.slice(1, -1)));
    if (word.startsWith('"')) return byteString(unquoted(word) ?? Buffer.from(word));
    return byteString(Buffer.from(word));
  });
}

function byteString(bytes: Buffer): string {
  return bytes.toString("latin1");
}

const simpleEscapes: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  t: 9,
  n: 10,
  v: 11,
  f: 12,
  r: 13,
  '"': 34,
  "\\": 92,
};
const piece =
  /\\(?:([abtnvfr"\\])|x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))|[^\\]+/gy;

/** Bytes of a string in Go's double quotes; undefined: it is none. */
function unquoted(text: string): Buffer | undefined {
  const inner = text.slice(1, -1);
  const parts: Buffer[] = [];
  let length = 0;
  for (const [all, simple, hex, octal, short, long] of inner.matchAll(piece)) {
    length += all.length;
    const rune = short ?? long;
    if (simple !== undefined) parts.push(Buffer.of(simpleEscapes[simple] as number));
    else if (hex !== undefined) parts.push(Buffer.of(Number.parseInt(hex, 16)));
    else if (octal !== undefined) parts.push(Buffer.of(Number.parseInt(octal, 8)));
    else if (rune === undefined) parts.push(Buffer.from(all));
    else if (Number.parseInt(rune, 16) > 0x10ffff) return undefined;
    else parts.push(Buffer.from(String.fromCodePoint(Number.parseInt(rune, 16))));
  }
  return length === inner.length ? Buffer.concat(parts) : undefined;
}

function badInput(message: string): CtlFailure {
  return new CtlFailure(exitCodes.badInput, message);
}
