/**
 * The payloads of WAL records (docs/formats.md, "Write-ahead log"). All numbers are little-endian.
 */
import { copyBytes } from "../base/bytes.js";
import type { ConfState, Entry, EntryType, HardState, SnapshotMeta } from "../raft/types.js";

/** Bytes of an entry's head: term u64, index u64, entry type u8. The data follows. */
export const entryHeadBytes = 17;

/** Writes only the head. The caller writes the data at `at + entryHeadBytes`. */
export function writeEntryHead(view: DataView, at: number, entry: Entry): void {
  setSafe(view, at, entry.term);
  setSafe(view, at + 8, entry.index);
  view.setUint8(at + 16, entry.type);
}

/** Copies the data, so that one entry does not keep the segment's bytes in memory. */
export function readEntry(payload: Uint8Array): Entry {
  const view = viewOf(payload);
  return {
    term: getSafe(view, 0),
    index: getSafe(view, 8),
    type: payload[16] as EntryType,
    data: copyBytes(payload.subarray(entryHeadBytes)),
  };
}

/** Bytes of a hard state: term u64, vote u64, commit u64. */
export const hardStateBytes = 24;

export function writeHardState(view: DataView, at: number, state: HardState): void {
  setSafe(view, at, state.term);
  view.setBigUint64(at + 8, state.vote, true);
  setSafe(view, at + 16, state.commit);
}

export function readHardState(payload: Uint8Array, at = 0): HardState {
  const view = viewOf(payload);
  return {
    term: getSafe(view, at),
    vote: view.getBigUint64(at + 8, true),
    commit: getSafe(view, at + 16),
  };
}

/** Encodes a marker: index u64, term u64, autoLeave u8, then four lists: count u32 and ids u64. */
export function encodeWalMeta(meta: SnapshotMeta): Uint8Array {
  const conf = meta.confState;
  const lists = [conf.voters, conf.learners, conf.votersOutgoing, conf.learnersNext];
  const ids = lists.reduce((sum, list) => sum + list.length, 0);
  const bytes = new Uint8Array(17 + 4 * lists.length + 8 * ids);
  const view = viewOf(bytes);
  setSafe(view, 0, meta.index);
  setSafe(view, 8, meta.term);
  bytes[16] = conf.autoLeave ? 1 : 0;
  let at = 17;
  for (const list of lists) {
    view.setUint32(at, list.length, true);
    at += 4;
    for (const id of list) {
      view.setBigUint64(at, id, true);
      at += 8;
    }
  }
  return bytes;
}

export function decodeMeta(payload: Uint8Array): SnapshotMeta {
  const view = viewOf(payload);
  let at = 17;
  const list = (): bigint[] => {
    const ids: bigint[] = [];
    const end = at + 4 + 8 * view.getUint32(at, true);
    for (at += 4; at < end; at += 8) ids.push(view.getBigUint64(at, true));
    return ids;
  };
  const confState: ConfState = {
    voters: list(),
    learners: list(),
    votersOutgoing: list(),
    learnersNext: list(),
    autoLeave: payload[16] === 1,
  };
  return { index: getSafe(view, 0), term: getSafe(view, 8), confState };
}

/** Identifies a log. It is decided when the log is created, and is the same in all its segments. */
export interface LogIdentity {
  readonly clusterId: bigint;
  readonly memberId: bigint;
  /** Random 64 bits that tell this log from others of the same member. 0n: from an older build. */
  readonly incarnation: bigint;
  /** True if a member that joined a running cluster created the log; false for a founder. */
  readonly isJoiner: boolean;
}

/** The start of each segment. It says enough to continue without all earlier segments. */
export interface SegmentStart extends LogIdentity {
  /** Seeds the checks of all other records. It is random, and the same in all segments of a log. */
  readonly salt: number;
  /** The chain value that the first record after this one continues. */
  readonly chain: number;
  readonly hardState: HardState;
  readonly marker: SnapshotMeta | undefined;
}

/**
 * A start with another chain value and hard state. It names all fields: V8 takes 2 us for an object
 * that begins with a spread, and the log needs one for each write.
 */
export function startWith(
  start: SegmentStart,
  chain: number,
  hardState = start.hardState,
): SegmentStart {
  const { clusterId, memberId, incarnation, isJoiner, salt, marker } = start;
  return { clusterId, memberId, incarnation, isJoiner, salt, chain, hardState, marker };
}

const magic = Uint8Array.from("LSTPWAL", (char) => char.charCodeAt(0));
const version = 2;
/** The format version without incarnation and joiner. */
const firstVersion = 1;
const incarnationAt = 32 + hardStateBytes;
const joinerAt = incarnationAt + 8;
const startHeadBytes = joinerAt + 1;

/**
 * Encodes a start: magic 7 bytes, version u8, cluster u64, member u64, salt u32, chain u32, hard
 * state, incarnation u64, joiner u8, marker.
 */
export function encodeStart(start: SegmentStart): Uint8Array {
  const meta = start.marker === undefined ? new Uint8Array(0) : encodeWalMeta(start.marker);
  const bytes = new Uint8Array(startHeadBytes + meta.length);
  const view = viewOf(bytes);
  bytes.set(magic);
  bytes[7] = version;
  view.setBigUint64(8, start.clusterId, true);
  view.setBigUint64(16, start.memberId, true);
  view.setUint32(24, start.salt, true);
  view.setUint32(28, start.chain, true);
  writeHardState(view, 32, start.hardState);
  view.setBigUint64(incarnationAt, start.incarnation, true);
  bytes[joinerAt] = start.isJoiner ? 1 : 0;
  bytes.set(meta, startHeadBytes);
  return bytes;
}

/** Decodes a start. Undefined: this program cannot read the payload as one. */
export function decodeStart(payload: Uint8Array): SegmentStart | undefined {
  if (magic.some((byte, at) => payload[at] !== byte)) return undefined;
  const isFirst = payload[7] === firstVersion;
  if (!isFirst && payload[7] !== version) return undefined;
  const headBytes = isFirst ? incarnationAt : startHeadBytes;
  if (payload.length < headBytes) return undefined;
  const view = viewOf(payload);
  const meta = payload.subarray(headBytes);
  return {
    clusterId: view.getBigUint64(8, true),
    memberId: view.getBigUint64(16, true),
    salt: view.getUint32(24, true),
    chain: view.getUint32(28, true),
    hardState: readHardState(payload, 32),
    incarnation: isFirst ? 0n : view.getBigUint64(incarnationAt, true),
    isJoiner: !isFirst && payload[joinerAt] === 1,
    marker: meta.length === 0 ? undefined : decodeMeta(meta),
  };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function setSafe(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true);
}

function getSafe(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 0x1_0000_0000;
}
