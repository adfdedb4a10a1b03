/**
 * Byte strings: their order, equality and text forms. The order is bytewise, as everywhere in etcd.
 */

/** Returns a negative number, zero or a positive number, as `a` sorts before, with or after `b`. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let at = 0; at < shared; at++) {
    const difference = (a[at] as number) - (b[at] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && compareBytes(a, b) === 0;
}

/** The bytes in memory of their own. `slice` is no copy: a Buffer's shares the caller's memory. */
export function copyBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

/** The smallest key above all that begin with `prefix`. One zero byte: there is none (etcd's form). */
export function prefixEnd(prefix: Uint8Array): Uint8Array {
  const last = prefix.findLastIndex((byte) => byte < 0xff);
  if (last < 0) return Uint8Array.of(0);
  const end = copyBytes(prefix.subarray(0, last + 1));
  end[last] = (end[last] as number) + 1;
  return end;
}

/** The bytes as text. The backslash and everything that is not printable ASCII become \xNN. */
export function printable(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) {
    const isPrintable = byte >= 0x20 && byte < 0x7f && byte !== 0x5c;
    text += isPrintable ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return text;
}
