/**
 * How Go prints things, because etcdctl's output is Go's: quoted strings (%q), durations, JSON of
 * protobuf messages (empty fields left out, bytes in base64), sizes, and the errors of its number
 * parser. Pure.
 */
import { refuseArguments } from "./failure.js";

const escapes: Readonly<Record<number, string>> = {
  7: "\\a",
  8: "\\b",
  9: "\\t",
  10: "\\n",
  11: "\\v",
  12: "\\f",
  13: "\\r",
  34: '\\"',
  92: "\\\\",
};
const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

/** %q: printable text stays, bytes that are no UTF-8 become \xNN one by one. */
export function quoted(bytes: Uint8Array | string): string {
  const raw = typeof bytes === "string" ? Buffer.from(bytes) : Buffer.from(bytes);
  let out = '"';
  for (let at = 0; at < raw.length; ) {
    const length = runeLength(raw, at);
    const rune = raw.toString("utf8", at, at + length);
    out += length === 0 ? byteEscape(raw[at] as number) : quotedRune(rune);
    at += Math.max(1, length);
  }
  return `${out}"`;
}

function quotedRune(rune: string): string {
  const code = rune.codePointAt(0) as number;
  const escaped = escapes[code];
  if (escaped !== undefined) return escaped;
  if (printable.test(rune)) return rune;
  if (code < 0x20 || code === 0x7f) return byteEscape(code);
  if (code < 0x10000) return `\\u${code.toString(16).padStart(4, "0")}`;
  return `\\U${code.toString(16).padStart(8, "0")}`;
}

function byteEscape(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, "0")}`;
}

/** Bytes of the UTF-8 character that begins here; 0: none does. */
function runeLength(raw: Buffer, at: number): number {
  const first = raw[at] as number;
  const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  const part = raw.subarray(at, at + length);
  if (part.length < length) return 0;
  return Buffer.from(part.toString("utf8")).equals(part) ? length : 0;
}

/** --hex: every byte as \xNN. */
export function hexText(bytes: Uint8Array): string {
  return [...bytes].map(byteEscape).join("");
}

/** Ids: hexadecimal, sixteen places. */
export function idText(id: bigint, pad = "0"): string {
  return BigInt.asUintN(64, id).toString(16).padStart(16, pad);
}

/** A Go duration: 1.5ms, 980µs, 2.000709425s. */
export function durationText(ns: bigint): string {
  const [unit, size] =
    ns >= 1_000_000_000n
      ? ["s", 1e9]
      : ns >= 1_000_000n
        ? ["ms", 1e6]
        : ns >= 1000n
          ? ["µs", 1e3]
          : ["ns", 1];
  return `${Number(ns) / (size as number)}${unit}`;
}

const sizeUnits = ["B", "kB", "MB", "GB", "TB", "PB"];

/** Decimal units with two digits: 20 kB, 1.4 MB. */
export function sizeText(bytes: bigint): string {
  const value = Number(bytes);
  if (value < 10) return `${value} B`;
  const power = Math.min(Math.floor(Math.log10(value) / 3), sizeUnits.length - 1);
  const shown = Math.floor((value / 1000 ** power) * 10 + 0.5) / 10;
  return `${shown < 10 ? shown.toFixed(1) : shown.toFixed(0)} ${sizeUnits[power]}`;
}

/** JSON of a decoded protobuf message, in the order of its fields, without those at their default. */
export function messageJson(value: unknown): string {
  return json(value, true);
}

/** JSON with every field written, as of Go's plain structures. */
export function plainJson(value: unknown): string {
  return json(value, false);
}

/** A text that is JSON already. */
export class RawJson {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

function json(value: unknown, omitsEmpty: boolean): string {
  if (value instanceof RawJson) return value.text;
  if (value instanceof Uint8Array) return `"${Buffer.from(value).toString("base64")}"`;
  if (typeof value === "bigint") return value.toString();
  if (Array.isArray(value)) return `[${value.map((each) => json(each, omitsEmpty)).join(",")}]`;
  if (typeof value !== "object" || value === null) return scalarJson(value);
  const fields: string[] = [];
  for (const [name, field] of Object.entries(value)) {
    if (omitsEmpty && isEmpty(field)) continue;
    fields.push(`"${fieldName(name, field)}":${json(caseValue(field), omitsEmpty)}`);
  }
  return `{${fields.join(",")}}`;
}

function scalarJson(value: unknown): string {
  return JSON.stringify(value ?? null).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

interface OneOf {
  readonly $case: string;
  readonly value: unknown;
}

function isOneOf(field: unknown): field is OneOf {
  return typeof field === "object" && field !== null && "$case" in field;
}

/** Go's field that holds a choice is named with a capital. */
function fieldName(name: string, field: unknown): string {
  return isOneOf(field) ? name.slice(0, 1).toUpperCase() + name.slice(1) : name;
}

function caseValue(field: unknown): unknown {
  return isOneOf(field) ? { [field.$case]: field.value } : field;
}

function isEmpty(field: unknown): boolean {
  if (Array.isArray(field) || field instanceof Uint8Array) return field.length === 0;
  return field === undefined || field === 0 || field === 0n || field === "" || field === false;
}

/** A 64-bit number, or an error with the words of Go's parser. */
export function parseInt64(
  text: string,
  options: { readonly base?: 10 | 16; readonly isUnsigned?: boolean } = {},
): bigint | Error {
  const name = options.isUnsigned === true ? "ParseUint" : "ParseInt";
  const pattern = options.base === 16 ? /^[+-]?[0-9a-fA-F]+$/ : /^[+-]?\d+$/;
  if (!pattern.test(text) || (options.isUnsigned === true && /^[+-]/.test(text))) {
    return new Error(`strconv.${name}: parsing ${quoted(text)}: invalid syntax`);
  }
  const digits = text.replace(/^[+-]/, "");
  const size = BigInt(options.base === 16 ? `0x${digits}` : digits);
  const value = text.startsWith("-") ? -size : size;
  const fits =
    options.isUnsigned === true
      ? value === BigInt.asUintN(64, value)
      : value === BigInt.asIntN(64, value);
  if (fits) return value;
  return new Error(`strconv.${name}: parsing ${quoted(text)}: value out of range`);
}

/** An argument that must be a hexadecimal id. @throws CtlFailure */
export function parseId(text: string, what: string, isUnsigned = false): bigint {
  const id = parseInt64(text, { base: 16, isUnsigned });
  if (!(id instanceof Error)) return id;
  refuseArguments(`bad ${what} (${id.message}), expecting ID in Hex`);
}
