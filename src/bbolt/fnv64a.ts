/** The 64-bit FNV-1a hash (Fowler, Noll, Vo): offset basis and prime as published. */

const offsetBasis = 0xcbf29ce484222325n;
const prime = 0x100000001b3n;

/** The hash of a few bytes, like those of a meta record: this is slow. */
export function fnv64a(bytes: Uint8Array): bigint {
  let hash = offsetBasis;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * prime);
  return hash;
}
