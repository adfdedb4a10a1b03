/**
 * Hashes for the simulator: 32 bytes that depend on every byte, fast, the same everywhere. They are
 * not cryptographic, because no attacker takes part in a simulation (four lanes of MurmurHash3's
 * mixing).
 */
import type { Hash } from "../../../platform/hash.js";

function words(
  bytes: Uint8Array,
  count: number,
  out: Uint8Array = new Uint8Array(count * 4),
): Uint8Array {
  let a = 0x239b961b ^ bytes.length;
  let b = 0xab0e9789 ^ bytes.length;
  const whole = bytes.length & ~3;
  for (let at = 0; at < whole; at += 4) {
    const word =
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    a = Math.imul(a ^ Math.imul(word, 0xcc9e2d51), 0x1b873593);
    a = ((a << 13) | (a >>> 19)) + b;
    b = Math.imul(b ^ word, 0x38b34ae5);
    b = ((b << 17) | (b >>> 15)) ^ a;
  }
  for (let at = whole; at < bytes.length; at++) {
    a = Math.imul(a ^ (bytes[at] as number), 0x01000193);
    b = Math.imul(b + (bytes[at] as number) + 1, 0xa1e38b93) ^ a;
  }
  for (let word = 0; word < count; word++) {
    a = Math.imul(a ^ (a >>> 16) ^ b, 0x85ebca6b);
    b = Math.imul(b ^ (b >>> 13) ^ word, 0xc2b2ae35) + a;
    out[word * 4] = b;
    out[word * 4 + 1] = b >>> 8;
    out[word * 4 + 2] = b >>> 16;
    out[word * 4 + 3] = b >>> 24;
  }
  return out;
}

export const simHash: Hash = {
  sha256: (bytes, into) => words(bytes, 8, into),
  sha1: (bytes) => words(bytes, 5),
  createSha256: () => {
    let all = new Uint8Array(0);
    return {
      update: (bytes) => {
        const next = new Uint8Array(all.length + bytes.length);
        next.set(all);
        next.set(bytes, all.length);
        all = next;
      },
      digest: () => words(all, 8),
    };
  },
};
