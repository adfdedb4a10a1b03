/**
 * Turns a peer's header blocks (RFC 9113, section 4.3), a HEADERS frame and its CONTINUATIONs, into
 * fields. Clients send the same block for equal requests once their fields are in the table. So the
 * last few blocks are remembered with their meaning.
 */
import { ConnectionError } from "./connection-error.js";
import { ErrorCode } from "./constants.js";
import { FieldList, HpackDecoder } from "./hpack/decoder.js";
import type { Http2Limits } from "./limits.js";
import { type RequestHead, readRequestHead } from "./request-head.js";

const tableBytes = 4_096;
const rememberedCount = 4;
const rememberedBytesMax = 64;

interface Remembered {
  readonly block: Buffer;
  readonly generation: number;
  readonly head: RequestHead;
}

export class HeaderBlocks {
  readonly #limits: Http2Limits;
  readonly #decoder = new HpackDecoder(tableBytes);
  readonly #remembered: Remembered[] = [];
  #nextRemembered = 0;
  /** The stream of the incomplete block; 0: there is none. */
  streamId = 0;
  flags = 0;
  #parts: Buffer[] = [];
  #bytes = 0;

  constructor(limits: Http2Limits) {
    this.#limits = limits;
  }

  /** The first part of a block that CONTINUATIONs follow. The bytes are copied. */
  begin(streamId: number, flags: number, bytes: Buffer, start: number, end: number): void {
    this.streamId = streamId;
    this.flags = flags;
    this.#add(bytes, start, end);
  }

  /** @throws ConnectionError ENHANCE_YOUR_CALM: more frames or octets than a block may have */
  append(bytes: Buffer, start: number, end: number): void {
    const { headerBlockBytesMax, continuationsMax } = this.#limits;
    if (this.#parts.length > continuationsMax) {
      throw new ConnectionError(ErrorCode.enhanceYourCalm, "too many CONTINUATION frames");
    }
    if (this.#bytes + end - start > headerBlockBytesMax) {
      throw new ConnectionError(ErrorCode.enhanceYourCalm, "a header block that is too large");
    }
    this.#add(bytes, start, end);
  }

  /** The whole block after its last part. */
  take(): Buffer {
    const block = Buffer.concat(this.#parts, this.#bytes);
    this.#parts = [];
    this.#bytes = 0;
    this.streamId = 0;
    return block;
  }

  /**
   * The head of the request. Undefined: it has more fields than a request may have; a string: why
   * it is malformed. @throws ConnectionError
   */
  readRequest(bytes: Buffer, start: number, end: number): RequestHead | string | undefined {
    const known = this.#recall(bytes, start, end);
    if (known !== undefined) return known;
    const before = this.#decoder.generation;
    const list = this.readFields(bytes, start, end);
    if (list.isTooLarge) return undefined;
    const head = readRequestHead(list);
    const isSteady = before === this.#decoder.generation && end - start <= rememberedBytesMax;
    if (isSteady && typeof head !== "string") {
      const block = Buffer.from(bytes.subarray(start, end));
      this.#remembered[this.#nextRemembered] = { block, generation: before, head };
      this.#nextRemembered = (this.#nextRemembered + 1) % rememberedCount;
    }
    return head;
  }

  /** @throws ConnectionError COMPRESSION_ERROR */
  readFields(bytes: Buffer, start: number, end: number): FieldList {
    const list = new FieldList(this.#limits.headerListBytesMax);
    this.#decoder.decode(bytes, start, end, list);
    return list;
  }

  #recall(bytes: Buffer, start: number, end: number): RequestHead | undefined {
    const { generation } = this.#decoder;
    for (const remembered of this.#remembered) {
      const { block } = remembered;
      if (block.length !== end - start || remembered.generation !== generation) continue;
      let at = 0;
      while (at < block.length && block[at] === bytes[start + at]) at++;
      if (at === block.length) return remembered.head;
    }
    return undefined;
  }

  #add(bytes: Buffer, start: number, end: number): void {
    this.#parts.push(Buffer.from(bytes.subarray(start, end)));
    this.#bytes += end - start;
  }
}
