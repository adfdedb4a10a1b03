/**
 * The bytes of a string in Go's double quotes, escapes included. Undefined: the text is no such
 * string. Pure.
 */
export function unquoted(text: string): Buffer | undefined {
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
  /\\(?:([abtnvfr"\\])|x([0-9a-fA-F]{2})|([0-3][0-7]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))|[^\\]+/gy;
