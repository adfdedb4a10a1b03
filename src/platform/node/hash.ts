/**
 * Native hashes. `crypto.hash` (Node 20.12) needs no stream object for each call. For small inputs
 * the result costs more than the hash if it is a Buffer: its memory is outside of the heap.
 */
import { createHash, hash } from "node:crypto";
import type { Hash } from "../hash.js";

export const nodeHash: Hash = {
  sha256: (bytes, into = new Uint8Array(32)) => {
    const text = hash("sha256", bytes, "binary");
    for (let at = 0; at < 32; at++) into[at] = text.charCodeAt(at);
    return into;
  },
  sha1: (bytes) => hash("sha1", bytes, "buffer"),
  createSha256: () => {
    const state = createHash("sha256");
    return { update: (bytes) => void state.update(bytes), digest: () => state.digest() };
  },
};
