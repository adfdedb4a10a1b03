/**
 * Checks the fields of a request as RFC 9113, sections 8.2 and 8.3 demand. A request that breaks a
 * rule is malformed, which ends its stream.
 */
import type { FieldList } from "./hpack/decoder.js";

export interface RequestHead {
  readonly method: string;
  /** Empty for CONNECT, like `scheme`. */
  readonly path: string;
  readonly scheme: string;
  /** Of `:authority`, or else of `host`; may be empty. */
  readonly authority: string;
  /** Name, value, name, value ... without pseudo-header fields. */
  readonly fields: readonly string[];
  /** -1: not told. */
  readonly contentLength: number;
  /**
   * The handler's own data about this head. Equal requests of a connection share a head, so they
   * share it too.
   */
  note: unknown;
}

/** RFC 9113, section 8.2.2. */
const connectionFields = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);
/** A token in lower case (RFC 9110, section 5.6.2). */
const fieldName = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const forbiddenInValue = /[\0\r\n]/;
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const digits = /^[0-9]{1,15}$/;

/** A string says why the request is malformed. */
export function readRequestHead(list: FieldList): RequestHead | string {
  const pseudo = new Map<string, string>();
  const fields: string[] = [];
  const { names, values } = list;
  for (let at = 0; at < names.length; at++) {
    const name = names[at] as string;
    const value = values[at] as string;
    if (forbiddenInValue.test(value)) return `a forbidden character in the value of ${name}`;
    if (name.startsWith(":")) {
      if (fields.length > 0) return `${name} after other fields`;
      if (pseudo.has(name)) return `${name} twice`;
      pseudo.set(name, value);
    } else {
      const fault = faultOf(name, value);
      if (fault !== undefined) return fault;
      fields.push(name, value);
    }
  }
  return headOf(pseudo, fields);
}

/**
 * Checks trailers, which have no pseudo-header fields. Returns what is wrong; undefined: nothing.
 */
export function trailersFault({ names, values }: FieldList): string | undefined {
  for (let at = 0; at < names.length; at++) {
    const name = names[at] as string;
    const value = values[at] as string;
    if (name.startsWith(":")) return `${name} in trailers`;
    const fault = forbiddenInValue.test(value) ? `bad value of ${name}` : faultOf(name, value);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function faultOf(name: string, value: string): string | undefined {
  if (!fieldName.test(name)) return "a field name that is none";
  if (connectionFields.has(name)) return `the field ${name}, which HTTP/2 does not have`;
  if (name === "te" && value.toLowerCase() !== "trailers") return "te other than trailers";
  return undefined;
}

function headOf(pseudo: Map<string, string>, fields: string[]): RequestHead | string {
  const take = (name: string): string | undefined => {
    const value = pseudo.get(name);
    pseudo.delete(name);
    return value;
  };
  const method = take(":method");
  const scheme = take(":scheme");
  const path = take(":path");
  const authority = take(":authority") ?? fieldOf(fields, "host") ?? "";
  if (pseudo.size > 0) return `the pseudo-header field ${[...pseudo.keys()][0]}`;
  if (method === undefined || !token.test(method)) return "no :method";
  const isConnect = method === "CONNECT";
  if (isConnect) {
    if (scheme !== undefined || path !== undefined) return "CONNECT with :scheme or :path";
  } else {
    if (scheme === undefined || scheme === "") return "no :scheme";
    if (path === undefined || path === "") return "no :path";
    if (!path.startsWith("/") && path !== "*") return "a :path that does not begin with /";
  }
  const contentLength = contentLengthOf(fields);
  if (contentLength === undefined) return "a content-length that is none";
  const note = undefined;
  return { method, path: path ?? "", scheme: scheme ?? "", authority, fields, contentLength, note };
}

/**
 * The content-length. -1: there is none; undefined: it is no number, or there are two different
 * ones.
 */
function contentLengthOf(fields: readonly string[]): number | undefined {
  let length = -1;
  for (let at = 0; at < fields.length; at += 2) {
    if (fields[at] !== "content-length") continue;
    const value = fields[at + 1] as string;
    if (!digits.test(value)) return undefined;
    if (length >= 0 && length !== Number(value)) return undefined;
    length = Number(value);
  }
  return length;
}

/** The first value of a field of `RequestHead.fields`. */
export function fieldOf(fields: readonly string[], name: string): string | undefined {
  for (let at = 0; at < fields.length; at += 2) {
    if (fields[at] === name) return fields[at + 1];
  }
  return undefined;
}
