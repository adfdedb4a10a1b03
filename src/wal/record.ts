/**
 * The bytes of one WAL record (docs/formats.md, "Write-ahead log"). A frame says how far it lies
 * behind the start of its flush, so that after a crash a reader can tell what one unfinished write
 * may have torn from what an earlier, finished write had made durable.
 */
import { crc32c } from "../base/crc32c.js";
import type { ConfState, Entry, EntryType, HardState, SnapshotMeta } from "../raft/types.js";

export const RecordType = { start: 1, entry: 2, hardState: 3, installed: 4, compacted: 5 } as const;
export type RecordType = (typeof RecordType)[keyof typeof RecordType];

/** length u32, type u8 and magic, distance u32, own crc u32, chain crc u32; little-endian. */
export const headerBytes = 20;
export const alignment = 8;
const magic = 0x57534c; // "LSW" behind the type byte
/** A record above this is damage: a request is 1.5 MiB by default and bounded in any case. */
const payloadBytesMax = 256 * 1024 * 1024;

export interface Record {
  readonly type: RecordType;
  readonly payload: Uint8Array;
  /** Offset of the record from the first one of the same flush. */
  readonly distance: number;
  readonly chain: number;
  /** The whole frame, padding included. */
  readonly frameBytes: number;
}

export function frameBytesOf(payloadBytes: number): number {
  return Math.ceil((headerBytes + payloadBytes) / alignment) * alignment;
}

/** Chains a record to all before it. */
export function nextChain(chain: number, ownCrc: number): number {
  return crc32c(
    Uint8Array.of(ownCrc & 255, (ownCrc >>> 8) & 255, (ownCrc >>> 16) & 255, ownCrc >>> 24),
    chain,
  );
}

/**
 * Completes a frame whose payload already stands at `at + headerBytes`. Returns its chain value.
 */
export function sealFrame(
  target: { readonly bytes: Uint8Array; readonly view: DataView; readonly at: number },
  record: { readonly type: RecordType; readonly payloadBytes: number; readonly distance: number },
  chain: number,
): number {
  const { bytes, view, at } = target;
  view.setUint32(at, record.payloadBytes, true);
  view.setUint32(at + 4, (magic << 8) | record.type, true);
  view.setUint32(at + 8, record.distance, true);
  const payloadAt = at + headerBytes;
  const own = crc32c(
    bytes.subarray(payloadAt, payloadAt + record.payloadBytes),
    crc32c(bytes.subarray(at, at + 12)),
  );
  view.setUint32(at + 12, own, true);
  const chained = nextChain(chain, own);
  view.setUint32(at + 16, chained, true);
  bytes.fill(0, payloadAt + record.payloadBytes, at + frameBytesOf(record.payloadBytes));
  return chained;
}

/** The whole record at `at`, or undefined when there is none that passes its own check. */
export function readFrame(bytes: Uint8Array, at: number): Record | undefined {
  if (at + headerBytes > bytes.length) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const payloadBytes = view.getUint32(at, true);
  const tag = view.getUint32(at + 4, true);
  const type = tag & 255;
  if (tag >>> 8 !== magic || type < RecordType.start || type > RecordType.compacted)
    return undefined;
  if (payloadBytes > payloadBytesMax) return undefined;
  const payloadAt = at + headerBytes;
  if (payloadAt + payloadBytes > bytes.length) return undefined;
  const payload = bytes.subarray(payloadAt, payloadAt + payloadBytes);
  if (crc32c(payload, crc32c(bytes.subarray(at, at + 12))) !== view.getUint32(at + 12, true)) {
    return undefined;
  }
  return {
    type: type as RecordType,
    payload,
    distance: view.getUint32(at + 8, true),
    chain: view.getUint32(at + 16, true),
    frameBytes: frameBytesOf(payloadBytes),
  };
}

/** True when the own check of the record fits its chain value after `chain`. */
export function isChained(bytes: Uint8Array, at: number, chain: number): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return nextChain(chain, view.getUint32(at + 12, true)) === view.getUint32(at + 16, true);
}

// -- payloads ----------------------------------------------------------------------------------

/** term u64, index u64, entry type u8, then the data. */
export const entryHeadBytes = 17;

export function writeEntry(
  target: { bytes: Uint8Array; view: DataView; at: number },
  entry: Entry,
): void {
  const { bytes, view, at } = target;
  setSafe(view, at, entry.term);
  setSafe(view, at + 8, entry.index);
  bytes[at + 16] = entry.type;
  bytes.set(entry.data, at + entryHeadBytes);
}

/** The data is copied out: the segment's buffer is not kept alive by one entry. */
export function readEntry(payload: Uint8Array): Entry {
  const view = viewOf(payload);
  return {
    term: getSafe(view, 0),
    index: getSafe(view, 8),
    type: payload[16] as EntryType,
    data: payload.slice(entryHeadBytes),
  };
}

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

/** index u64, term u64, autoLeave u8, then four lists: count u32 and ids u64. */
export function encodeMeta(meta: SnapshotMeta): Uint8Array {
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

/** What each segment begins with: enough to do without all segments before it. */
export interface SegmentStart {
  readonly clusterId: bigint;
  readonly memberId: bigint;
  /** Chain value that the first record after this one continues. */
  readonly chain: number;
  readonly hardState: HardState;
  readonly marker: SnapshotMeta | undefined;
}

export function encodeStart(start: SegmentStart): Uint8Array {
  const meta = start.marker === undefined ? new Uint8Array(0) : encodeMeta(start.marker);
  const bytes = new Uint8Array(20 + hardStateBytes + meta.length);
  const view = viewOf(bytes);
  view.setBigUint64(0, start.clusterId, true);
  view.setBigUint64(8, start.memberId, true);
  view.setUint32(16, start.chain, true);
  writeHardState(view, 20, start.hardState);
  bytes.set(meta, 20 + hardStateBytes);
  return bytes;
}

export function decodeStart(payload: Uint8Array): SegmentStart {
  const view = viewOf(payload);
  const meta = payload.subarray(20 + hardStateBytes);
  return {
    clusterId: view.getBigUint64(0, true),
    memberId: view.getBigUint64(8, true),
    chain: view.getUint32(16, true),
    hardState: readHardState(payload, 20),
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
