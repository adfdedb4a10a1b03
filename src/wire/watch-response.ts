/**
 * etcdserverpb.WatchResponse, encoded by hand: stored KeyValue bytes are spliced in as they are,
 * and an event that many watchers get is encoded once. The result equals the generated codec's,
 * byte for byte. Nothing is checked here: revisions and terms are safe non-negative integers.
 */

/** Fields 2 to 7 and the header's changing part. Zero, false and empty are left out, as in proto3. */
export interface WatchResponseHead {
  readonly revision: number;
  readonly raftTerm: number;
  readonly watchId: bigint;
  readonly created?: boolean;
  readonly canceled?: boolean;
  readonly compactRevision?: number;
  readonly cancelReason?: string;
  readonly fragment?: boolean;
}

/** `kv` and `prevKv` are encoded mvccpb.KeyValue. */
export interface SplicedEvent {
  readonly event: { readonly type: "put" | "delete"; readonly kv: Uint8Array };
  readonly prevKv: Uint8Array | undefined;
}

const noBytes = new Uint8Array(0);

/** Encodes the answers of one member. */
export class WatchResponseEncoder {
  /** The header's first two fields. */
  readonly #ids: Uint8Array;
  #lastList: readonly SplicedEvent[] | undefined;
  #lastEvents: Uint8Array = noBytes;

  constructor(of: { readonly clusterId: bigint; readonly memberId: bigint }) {
    this.#ids = new Uint8Array([...bigField(0x08, of.clusterId), ...bigField(0x10, of.memberId)]);
  }

  /** `events` in order; a list with one event may be passed again and again at little cost. */
  encode(head: WatchResponseHead, events: readonly SplicedEvent[]): Uint8Array {
    const ids = this.#ids;
    const { revision, raftTerm, watchId, compactRevision = 0, cancelReason = "" } = head;
    const reason = cancelReason === "" ? noBytes : Buffer.from(cancelReason);
    // Ids are small but for clients that choose odd ones.
    const smallId = watchId >= 0n && watchId < 0x8000_0000n ? Number(watchId) : -1;
    const bigId = smallId < 0 ? bigField(0x10, watchId) : noBytes;
    const body = this.#encodedEvents(events);
    const headerLength = ids.length + fieldLength(revision) + fieldLength(raftTerm);
    const out = Buffer.allocUnsafe(
      1 +
        varintLength(headerLength) +
        headerLength +
        (smallId < 0 ? bigId.length : fieldLength(smallId)) +
        (head.created === true ? 2 : 0) +
        (head.canceled === true ? 2 : 0) +
        fieldLength(compactRevision) +
        bytesFieldLength(reason) +
        (head.fragment === true ? 2 : 0) +
        body.length,
    );
    let at = writeVarint(out, 0, 0x0a);
    at = writeVarint(out, at, headerLength);
    at = writeBytes(out, at, ids);
    at = writeField(out, at, 0x18, revision);
    at = writeField(out, at, 0x20, raftTerm);
    at = smallId < 0 ? writeBytes(out, at, bigId) : writeField(out, at, 0x10, smallId);
    at = writeField(out, at, 0x18, head.created === true ? 1 : 0);
    at = writeField(out, at, 0x20, head.canceled === true ? 1 : 0);
    at = writeField(out, at, 0x28, compactRevision);
    if (reason.length > 0) at = writeBytesField(out, at, 0x32, reason);
    at = writeField(out, at, 0x38, head.fragment === true ? 1 : 0);
    writeBytes(out, at, body);
    return out;
  }

  #encodedEvents(events: readonly SplicedEvent[]): Uint8Array {
    if (events.length === 0) return noBytes;
    if (events.length > 1) return encodeEvents(events);
    if (this.#lastList !== events) {
      this.#lastEvents = encodeEvents(events);
      this.#lastList = events;
    }
    return this.#lastEvents;
  }
}

/**
 * Cuts `events` so that no part's whole message reaches `bytesMax`, except for a part of a single
 * event: etcd's rule for fragments. `head` is that of every part, with `fragment` set.
 */
export function splitEvents(
  events: readonly SplicedEvent[],
  headLength: number,
  bytesMax: number,
): readonly (readonly SplicedEvent[])[] {
  const parts: SplicedEvent[][] = [];
  let part: SplicedEvent[] = [];
  let length = headLength;
  for (const spliced of events) {
    const more = eventFieldLength(spliced);
    if (part.length > 0 && length + more >= bytesMax) {
      parts.push(part);
      part = [];
      length = headLength;
    }
    part.push(spliced);
    length += more;
  }
  parts.push(part);
  return parts;
}

/** Field 11, repeated. */
function encodeEvents(events: readonly SplicedEvent[]): Uint8Array {
  let length = 0;
  for (const spliced of events) length += eventFieldLength(spliced);
  const out = Buffer.allocUnsafe(length);
  let at = 0;
  for (const spliced of events) {
    at = writeVarint(out, at, 0x5a);
    at = writeVarint(out, at, eventLength(spliced));
    at = writeField(out, at, 0x08, spliced.event.type === "delete" ? 1 : 0);
    at = writeBytesField(out, at, 0x12, spliced.event.kv);
    if (spliced.prevKv !== undefined) at = writeBytesField(out, at, 0x1a, spliced.prevKv);
  }
  return out;
}

function eventFieldLength(spliced: SplicedEvent): number {
  const length = eventLength(spliced);
  return 1 + varintLength(length) + length;
}

function eventLength({ event, prevKv }: SplicedEvent): number {
  const kv = 1 + varintLength(event.kv.length) + event.kv.length;
  const prev = prevKv === undefined ? 0 : 1 + varintLength(prevKv.length) + prevKv.length;
  return (event.type === "delete" ? 2 : 0) + kv + prev;
}

function fieldLength(value: number): number {
  return value === 0 ? 0 : 1 + varintLength(value);
}

function bytesFieldLength(bytes: Uint8Array): number {
  return bytes.length === 0 ? 0 : 1 + varintLength(bytes.length) + bytes.length;
}

function varintLength(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  let length = 4;
  for (let rest = Math.floor(value / 0x1000_0000); rest > 0; rest = Math.floor(rest / 0x80)) {
    length += 1;
  }
  return length;
}

function writeVarint(out: Uint8Array, at: number, value: number): number {
  let rest = value;
  let to = at;
  // Beyond 31 bits the bit operators do not reach.
  for (; rest >= 0x8000_0000; to += 1) {
    out[to] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  for (; rest >= 0x80; to += 1) {
    out[to] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  out[to] = rest;
  return to + 1;
}

function writeField(out: Uint8Array, at: number, tag: number, value: number): number {
  return value === 0 ? at : writeVarint(out, writeVarint(out, at, tag), value);
}

function writeBytes(out: Uint8Array, at: number, bytes: Uint8Array): number {
  // A call into the runtime costs more than a few bytes.
  if (bytes.length > 32) out.set(bytes, at);
  else for (let from = 0; from < bytes.length; from += 1) out[at + from] = bytes[from] as number;
  return at + bytes.length;
}

function writeBytesField(out: Uint8Array, at: number, tag: number, bytes: Uint8Array): number {
  const to = writeVarint(out, writeVarint(out, at, tag), bytes.length);
  return writeBytes(out, to, bytes);
}

/** A 64-bit field, signed or not: ids use all bits. */
function bigField(tag: number, value: bigint): Uint8Array {
  if (value === 0n) return noBytes;
  const bytes = [tag];
  let rest = BigInt.asUintN(64, value);
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return new Uint8Array(bytes);
}
