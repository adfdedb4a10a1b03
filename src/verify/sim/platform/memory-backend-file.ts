/** The modelled disk state of one simulated backend; see memory-backend.ts for the model. */
import type { RowImage } from "./row-image.js";

export interface MemoryBackendFile {
  /** The state under the meta slot that is current. */
  current: RowImage;
  /** The state of the commit before, which the other slot holds. */
  former: RowImage;
  /** The state that a running commit is about to make current. */
  inFlight: RowImage | undefined;
  /** A copy that is not complete: a crash keeps all of it or nothing. */
  isPartial: boolean;
  /** The next commit fails with this error. */
  nextFailure: Error | undefined;
  /** Length of the file: it never shrinks. */
  bytes: number;
}

/**
 * The disk content of one member, by backend name. Restart from it with `createMemoryBackendStore`.
 */
export type StoreImage = ReadonlyMap<string, MemoryBackendFile>;

/** A file that holds these rows durably. */
export function newFile(rows: RowImage): MemoryBackendFile {
  return {
    current: rows,
    former: rows,
    inFlight: undefined,
    isPartial: false,
    nextFailure: undefined,
    bytes: rows.bytes,
  };
}

/** The file after a commit of these rows. The given file stays as it is. */
export function withCommit(file: MemoryBackendFile, rows: RowImage): MemoryBackendFile {
  const bytes = Math.max(file.bytes, rows.bytes);
  return { ...file, former: file.current, current: rows, bytes };
}
