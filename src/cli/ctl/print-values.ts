/**
 * Writes single values as etcdctl does: ids, bytes, quoted strings, sizes, and messages as JSON
 * with the names and numbers of Go's encoder. Pure.
 */
export function hexId(id: bigint): string {
  return BigInt.asUintN(64, id).toString(16).padStart(16, "0");
}

/** The bytes as they are, or with --hex each as \xNN. */
export function shownBytes(bytes: Uint8Array, hex: boolean): Uint8Array {
  if (!hex) return bytes;
  let text = "";
  for (const byte of bytes) text += `\\x${byte.toString(16).padStart(2, "0")}`;
  return Buffer.from(text);
}

const NAMED: Readonly<Record<string, string>> = {
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  '"': '\\"',
  "\\": "\\\\",
};

/** A byte string as Go's %q writes it. */
export function quoted(bytes: Uint8Array): string {
  let out = "";
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at] as number;
    const size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    let rune: string | undefined;
    try {
      rune = decoder.decode(bytes.subarray(at, at + size));
    } catch {
      rune = undefined;
    }
    at += rune === undefined ? 1 : size;
    if (rune === undefined || first < 0x20 || first === 0x7f) {
      out += NAMED[rune ?? "none"] ?? `\\x${first.toString(16).padStart(2, "0")}`;
    } else if (/^[\p{C}\p{Z}]$/u.test(rune) && rune !== " ") {
      const point = rune.codePointAt(0) as number;
      out +=
        point > 0xffff
          ? `\\U${point.toString(16).padStart(8, "0")}`
          : `\\u${point.toString(16).padStart(4, "0")}`;
    } else out += NAMED[rune] ?? rune;
  }
  return `"${out}"`;
}

/** Bytes in units of 1000: "70 kB". */
export function shownSize(bytes: bigint): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
  let size = Number(bytes);
  if (size < 10) return `${size} B`;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit++;
  }
  const rounded = Math.floor(size * 10 + 0.5) / 10;
  return `${rounded < 10 ? rounded.toFixed(1) : rounded.toFixed(0)} ${units[unit]}`;
}

function jsonText(text: string): string {
  return JSON.stringify(text).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === 0 || value === 0n || value === false) return true;
  return (
    (typeof value === "string" || ArrayBuffer.isView(value) || Array.isArray(value)) &&
    (value as ArrayLike<unknown>).length === 0
  );
}

/** Fields of newer servers that the format does not know. */
const UNKNOWN_TO_FORMAT = new Set([
  "hash_revision",
  "storageVersion",
  "dbSizeQuota",
  "downgradeInfo",
]);

function jsonOf(value: unknown, keepsEmpty: boolean): string {
  if (value === null) return "null";
  if (typeof value === "string") return jsonText(value);
  if (value instanceof Uint8Array) return `"${Buffer.from(value).toString("base64")}"`;
  if (Array.isArray(value)) return `[${value.map((each) => jsonOf(each, keepsEmpty)).join(",")}]`;
  if (typeof value !== "object") return String(value);
  if ("$case" in value) {
    const { $case, value: inner } = value as unknown as { $case: string; value: unknown };
    return `{${jsonText($case)}:${message(inner)}}`;
  }
  const parts: string[] = [];
  for (const [name, field] of Object.entries(value)) {
    if (field === undefined || (!keepsEmpty && isEmpty(field))) continue;
    if (UNKNOWN_TO_FORMAT.has(name)) continue;
    const inner = keepsEmpty && name !== "Header" ? jsonOf(field, false) : message(field);
    const isOneof = typeof field === "object" && field !== null && "$case" in field;
    parts.push(`${jsonText(isOneof ? "Response" : name)}:${inner}`);
  }
  return `{${parts.join(",")}}`;
}

/** A message as Go's encoder writes the generated struct: fields with zero values are left out. */
export function message(value: unknown): string {
  return jsonOf(value, false);
}

/** A struct of the client library: all of its own fields. Messages inside it are without zeros. */
export function struct(value: object): string {
  return jsonOf(value, true);
}
