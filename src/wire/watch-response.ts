/**
 * Encodes etcdserverpb.WatchResponse by hand: stored KeyValue bytes are spliced in as they are, and
 * an event that many watchers get is encoded once. The result equals the generated codec's, byte
 * for byte. Nothing is checked here: revisions and terms are safe non-negative integers.
 */
import {
  bigField,
  delimitedLength,
  fieldLength,
  noBytes,
  writeBytes,
  writeDelimited,
  writeDelimiter,
  writeField,
} from "./protobuf-writer.js";

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

/** Encodes the answers of one member. */
export class WatchResponseEncoder {
  /** The encoded first two fields of the header. */
  readonly #ids: Uint8Array;
  #lastList: readonly SplicedEvent[] | undefined;
  #lastEvents: Uint8Array = noBytes;

  constructor(of: { readonly clusterId: bigint; readonly memberId: bigint }) {
    this.#ids = new Uint8Array([...bigField(0x08, of.clusterId), ...bigField(0x10, of.memberId)]);
  }

  /**
   * Encodes a response. `events` come in order. A list with one event may be passed again and again
   * at little cost.
   */
  encode(head: WatchResponseHead, events: readonly SplicedEvent[]): Uint8Array {
    const ids = this.#ids;
    const { revision, raftTerm, watchId, compactRevision = 0, cancelReason = "" } = head;
    const reason = cancelReason === "" ? noBytes : Buffer.from(cancelReason);
    // Ids are small unless a client chooses others.
    const smallId = watchId >= 0n && watchId < 0x8000_0000n ? Number(watchId) : -1;
    const bigId = smallId < 0 ? bigField(0x10, watchId) : noBytes;
    const body = this.#encodedEvents(events);
    const headerLength = ids.length + fieldLength(revision) + fieldLength(raftTerm);
    const out = Buffer.allocUnsafe(
      delimitedLength(headerLength) +
        (smallId < 0 ? bigId.length : fieldLength(smallId)) +
        (head.created === true ? 2 : 0) +
        (head.canceled === true ? 2 : 0) +
        fieldLength(compactRevision) +
        (reason.length === 0 ? 0 : delimitedLength(reason.length)) +
        (head.fragment === true ? 2 : 0) +
        body.length,
    );
    let at = writeDelimiter(out, 0, 0x0a, headerLength);
    at = writeBytes(out, at, ids);
    at = writeField(out, at, 0x18, revision);
    at = writeField(out, at, 0x20, raftTerm);
    at = smallId < 0 ? writeBytes(out, at, bigId) : writeField(out, at, 0x10, smallId);
    at = writeField(out, at, 0x18, head.created === true ? 1 : 0);
    at = writeField(out, at, 0x20, head.canceled === true ? 1 : 0);
    at = writeField(out, at, 0x28, compactRevision);
    if (reason.length > 0) at = writeDelimited(out, at, 0x32, reason);
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
 * Cuts `events` so that the whole message of each part stays below `bytesMax`, except for a part of
 * a single event: etcd's rule for fragments. `head` is that of every part, with `fragment` set.
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

/** Encodes the events as field 11, repeated. */
function encodeEvents(events: readonly SplicedEvent[]): Uint8Array {
  let length = 0;
  for (const spliced of events) length += eventFieldLength(spliced);
  const out = Buffer.allocUnsafe(length);
  let at = 0;
  for (const spliced of events) {
    at = writeDelimiter(out, at, 0x5a, eventLength(spliced));
    at = writeField(out, at, 0x08, spliced.event.type === "delete" ? 1 : 0);
    at = writeDelimited(out, at, 0x12, spliced.event.kv);
    if (spliced.prevKv !== undefined) at = writeDelimited(out, at, 0x1a, spliced.prevKv);
  }
  return out;
}

function eventFieldLength(spliced: SplicedEvent): number {
  return delimitedLength(eventLength(spliced));
}

function eventLength({ event, prevKv }: SplicedEvent): number {
  const kv = delimitedLength(event.kv.length);
  const prev = prevKv === undefined ? 0 : delimitedLength(prevKv.length);
  return (event.type === "delete" ? 2 : 0) + kv + prev;
}
