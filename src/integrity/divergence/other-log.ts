/**
 * Finds out whether a member's committed entries equal the leader's. Raft compares only index and
 * term. If a majority was rolled back, it may elect a leader in a term that had another leader
 * before. Its log then has other entries under the same index and term. A leader gives such a
 * member no leave to heal, because the member's log does not fit the cluster, not only its state.
 *
 * The leader asks for a checksum of each entry and compares it with its own log. Entries that one
 * of the two has compacted cannot be compared.
 */
import type { Done } from "../../base/done.js";
import { KvError } from "../../base/errors.js";
import { PeerMethod } from "../../peers/codec.js";
import type { Peers } from "../../peers/peers.js";
import type { Clock } from "../../platform/clock.js";
import type { Entry, LogPoint } from "../../raft/types.js";
import { chainOf } from "../../state/log-chain.js";

/** How many entries one comparison covers: the newest committed ones. */
const comparedMax = 10_000;
const sliceBytesMax = 256 * 1024;
const sliceEntriesMax = 500;

/** A range of a member's committed entries that differ from its leader's. */
export interface OtherLog {
  /** Index of the first entry that differs. Earlier entries may differ too, but were compacted. */
  readonly first: number;
  /** Index of the last entry that differs. */
  readonly last: LogPoint;
  /** The last index of the leader's log at that time. */
  readonly leaderEnd: LogPoint;
}

export interface LogSumsParts {
  readonly clock: Clock;
  firstIndex(): number;
  committedIndex(): number;
  /**
   * Entries in [low, high), at least one, at most `bytesMax` bytes. Undefined: the log no longer
   * holds them.
   */
  entries(low: number, high: number, bytesMax: number): readonly Entry[] | undefined;
  isStopped(): boolean;
}

export interface OtherLogParts extends LogSumsParts {
  leaderEnd(): LogPoint;
  request(to: bigint, method: PeerMethod, body: Uint8Array, done: Done<Uint8Array>): void;
}

/** Answers a leader with the checksums of this member's newest committed entries. */
export function serveLogSums(peers: Pick<Peers, "serve">, parts: LogSumsParts): void {
  peers.serve(PeerMethod.logSums, (_from, _body, done) => {
    const last = parts.committedIndex();
    const first = Math.max(parts.firstIndex(), last - comparedMax + 1);
    sumsOf(parts, { first, last }, (sums) => {
      done(sums === undefined ? new KvError("compacted") : encodeSums(first, sums));
    });
  });
}

/**
 * At the leader. Calls `done` once, later: with the range that differs, with undefined if no entry
 * that both hold differs, or with an error if the member did not answer. Never calls it when this
 * member stops.
 */
export function findOtherLog(
  parts: OtherLogParts,
  member: bigint,
  done: Done<OtherLog | undefined>,
): void {
  parts.request(member, PeerMethod.logSums, new Uint8Array(0), (answer) => {
    if (answer instanceof KvError) {
      // A build that does not know this request answers `stopped`.
      done(answer.reason === "stopped" ? undefined : answer);
      return;
    }
    const theirs = decodeSums(answer);
    if (theirs === undefined) {
      done(new KvError("unhealthyCluster"));
      return;
    }
    const first = Math.max(theirs.first, parts.firstIndex());
    const last = Math.min(theirs.first + theirs.sums.length - 1, parts.committedIndex());
    sumsOf(parts, { first, last }, (mine) => {
      if (mine === undefined) done(new KvError("unhealthyCluster"));
      else done(difference({ mine, theirs: theirs.sums.subarray(first - theirs.first) }, first));
    });
  });

  function difference(
    { mine, theirs }: { readonly mine: Uint32Array; readonly theirs: Uint32Array },
    from: number,
  ): OtherLog | undefined {
    const differs = (sum: number, at: number): boolean => sum !== theirs[at];
    const at = mine.findIndex(differs);
    if (at < 0) return undefined;
    const index = from + mine.findLastIndex(differs);
    const term = parts.entries(index, index + 1, 1)?.[0]?.term ?? 0;
    return { first: from + at, last: { index, term }, leaderEnd: parts.leaderEnd() };
  }
}

/**
 * Works in slices. Undefined: the log no longer holds an entry. Calls nothing when the member
 * stops.
 */
function sumsOf(
  parts: LogSumsParts,
  range: { readonly first: number; readonly last: number },
  done: (sums: Uint32Array | undefined) => void,
): void {
  const { first, last } = range;
  const sums = new Uint32Array(Math.max(0, last - first + 1));
  const slice = (from: number): void => {
    if (parts.isStopped()) return;
    if (from > last) {
      done(sums);
      return;
    }
    const high = Math.min(last + 1, from + sliceEntriesMax);
    const entries = parts.entries(from, high, sliceBytesMax);
    if (entries === undefined || entries.length === 0) {
      done(undefined);
      return;
    }
    for (const entry of entries) sums[entry.index - first] = chainOf(0, entry);
    parts.clock.defer(() => slice(from + entries.length));
  };
  slice(first);
}

/** Layout: the first index (float64), then a checksum of each entry (uint32), little-endian. */
function encodeSums(first: number, sums: Uint32Array): Uint8Array {
  const bytes = new Uint8Array(8 + 4 * sums.length);
  const view = new DataView(bytes.buffer);
  view.setFloat64(0, first, true);
  for (const [at, sum] of sums.entries()) view.setUint32(8 + 4 * at, sum, true);
  return bytes;
}

function decodeSums(
  bytes: Uint8Array,
): { readonly first: number; readonly sums: Uint32Array } | undefined {
  if (bytes.length < 8 || bytes.length % 4 !== 0) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const first = view.getFloat64(0, true);
  const sums = Uint32Array.from({ length: (bytes.length - 8) / 4 }, (_, at) =>
    view.getUint32(8 + 4 * at, true),
  );
  return Number.isSafeInteger(first) ? { first, sums } : undefined;
}

/** Layout: five float64, little-endian. It answers a member that asks for leave to heal. */
export function encodeOtherLog({ first, last, leaderEnd }: OtherLog): Uint8Array {
  const numbers = [first, last.index, last.term, leaderEnd.index, leaderEnd.term];
  const view = new DataView(new ArrayBuffer(8 * numbers.length));
  for (const [at, number] of numbers.entries()) view.setFloat64(8 * at, number, true);
  return new Uint8Array(view.buffer);
}

/** Undefined: the leader gives leave. */
export function decodeOtherLog(bytes: Uint8Array): OtherLog | undefined {
  if (bytes.length < 40) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const number = (at: number): number => view.getFloat64(8 * at, true);
  return {
    first: number(0),
    last: { index: number(1), term: number(2) },
    leaderEnd: { index: number(3), term: number(4) },
  };
}
