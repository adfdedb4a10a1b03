/** Cryptographic hashes as pure functions: the platform's native ones, behind a port. */

/**
 * SHA-256 of all bytes: 32 bytes. Writes them to `into` and returns it, if it is given. Otherwise
 * returns bytes that the caller may keep.
 */
export type Sha256 = (bytes: Uint8Array, into?: Uint8Array) => Uint8Array;

/** SHA-1 of all bytes: 20 bytes. Used only for etcd's ids. */
export type Sha1 = (bytes: Uint8Array) => Uint8Array;

/** SHA-256 of bytes that do not fit into memory at once. */
export interface Sha256Stream {
  update(bytes: Uint8Array): void;
  /** Ends the stream. Returns 32 bytes, which the caller may keep. */
  digest(): Uint8Array;
}

export interface Hash {
  readonly sha256: Sha256;
  readonly sha1: Sha1;
  readonly createSha256: () => Sha256Stream;
}
