/** Native hashes. `crypto.hash` (Node 20.12) needs no stream object for each call. */
import { createHash, hash } from "node:crypto";
import type { Hash } from "../hash.js";

export const nodeHash: Hash = {
  sha256: (bytes) => hash("sha256", bytes, "buffer"),
  sha1: (bytes) => hash("sha1", bytes, "buffer"),
  createSha256: () => {
    const state = createHash("sha256");
    return { update: (bytes) => void state.update(bytes), digest: () => state.digest() };
  },
};
