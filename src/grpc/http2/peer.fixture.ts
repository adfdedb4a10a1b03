/**
 * A session in memory with a client by hand: frames go in as they are built, what comes out is cut
 * into frames again. Time stands still unless a test moves it.
 */
import { Flag, FrameType, frameHeaderBytes, preface } from "./constants.js";
import { FieldList, HpackDecoder } from "./hpack/decoder.js";
import { HeaderFields } from "./hpack/encoder.js";
import { literal } from "./hpack/hpack.fixture.js";
import { defaultLimits, type Http2Limits } from "./limits.js";
import { defaultKeepalive, type KeepaliveOptions } from "./ping-policy.js";
import type { RequestHead } from "./request-head.js";
import { Http2Session } from "./session.js";
import type { Http2Stream, StreamHandler } from "./stream.js";

export interface FrameOptions {
  readonly flags?: number;
  readonly stream?: number;
  readonly payload?: Uint8Array | undefined;
  /** What the header says instead of the payload's length. */
  readonly length?: number;
}

export function frame(type: number, options: FrameOptions = {}): Buffer {
  const { flags = 0, stream = 0, payload = new Uint8Array(0) } = options;
  const header = Buffer.alloc(frameHeaderBytes);
  header.writeUIntBE(options.length ?? payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

export function uint32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [at, value] of values.entries()) bytes.writeUInt32BE(value, 4 * at);
  return bytes;
}

export const settingsFrame = (...entries: [id: number, value: number][]): Buffer => {
  const payload = Buffer.alloc(6 * entries.length);
  for (const [at, [id, value]] of entries.entries()) {
    payload.writeUInt16BE(id, 6 * at);
    payload.writeUInt32BE(value, 6 * at + 2);
  }
  return frame(FrameType.settings, { payload });
};

export type Fields = readonly (readonly [string, string])[];

export const requestFields: Fields = [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/t.T/Ask"],
  [":authority", "localhost"],
];

export const block = (fields: Fields): Buffer =>
  Buffer.concat(fields.map(([name, value]) => literal(name, value)));

/** HEADERS of a whole block; by default it also ends the request. */
export function headers(
  stream: number,
  fields: Fields = requestFields,
  flags: number = Flag.endHeaders | Flag.endStream,
): Buffer {
  return frame(FrameType.headers, { stream, flags, payload: block(fields) });
}

export function data(stream: number, payload: Uint8Array | string, isEnd = false): Buffer {
  const flags = isEnd ? Flag.endStream : 0;
  return frame(FrameType.data, { stream, flags, payload: Buffer.from(payload as string) });
}

export interface SeenFrame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
  /** Of HEADERS. */
  readonly fields?: Fields;
}

/** What a test sees of a request. */
export class Seen implements StreamHandler {
  readonly stream: Http2Stream;
  readonly head: RequestHead;
  body = Buffer.alloc(0);
  isEnded = false;
  resets = 0;
  drains = 0;
  /** Keeps the client's window open. */
  window = 0;
  onDrain: () => void = () => {};

  constructor(stream: Http2Stream, head: RequestHead) {
    this.stream = stream;
    this.head = head;
  }

  handleData(bytes: Buffer, start: number, end: number): void {
    this.body = Buffer.concat([this.body, bytes.subarray(start, end)]);
    if (this.window > 0) this.stream.grow(this.window);
  }

  handleEnd(): void {
    this.isEnded = true;
  }

  handleReset(): void {
    this.resets++;
  }

  handleDrain(): void {
    this.drains++;
    this.onDrain();
  }

  answer(body: Uint8Array | string): void {
    this.stream.sendHead(status200);
    this.stream.send(Buffer.from(body as string));
    this.stream.end(null);
  }
}

export const status200 = new HeaderFields([":status", "200"]);

export interface PeerOptions {
  readonly limits?: Partial<Http2Limits>;
  readonly keepalive?: Partial<KeepaliveOptions>;
  readonly onRequest?: (seen: Seen) => void;
}

export class TestPeer {
  readonly session: Http2Session;
  readonly requests: Seen[] = [];
  nowMs = 0;
  /** How often the session said that there is something to pull. */
  outputs = 0;
  readonly #decoder = new HpackDecoder(4_096);
  #rest = Buffer.alloc(0);

  constructor({ limits, keepalive, onRequest }: PeerOptions = {}) {
    this.session = new Http2Session(
      {
        onRequest: (stream, head) => {
          const seen = new Seen(stream, head);
          this.requests.push(seen);
          onRequest?.(seen);
          return seen;
        },
        onOutput: () => {
          this.outputs++;
        },
      },
      {
        limits: { ...defaultLimits, ...limits },
        keepalive: { ...defaultKeepalive, ...keepalive },
        nowMs: 0,
      },
    );
  }

  /** Preface and SETTINGS, and the server's answers to them thrown away. */
  static ready(options: PeerOptions = {}, ...settings: [number, number][]): TestPeer {
    const peer = new TestPeer(options);
    peer.send(preface, settingsFrame(...settings));
    peer.frames();
    return peer;
  }

  send(...bytes: Uint8Array[]): this {
    this.session.receive(Buffer.concat(bytes), this.nowMs);
    return this;
  }

  /** All that is to pull now. */
  pull(bytesMax = 65_536): Buffer {
    const all: Uint8Array[] = [];
    for (let some = this.session.pull(bytesMax); some; some = this.session.pull(bytesMax)) {
      all.push(...some);
    }
    return Buffer.concat(all);
  }

  /** All frames that are to pull now. */
  frames(): SeenFrame[] {
    this.#rest = Buffer.concat([this.#rest, this.pull()]);
    const seen: SeenFrame[] = [];
    while (this.#rest.length >= frameHeaderBytes) {
      const end = frameHeaderBytes + this.#rest.readUIntBE(0, 3);
      const payload = this.#rest.subarray(frameHeaderBytes, end);
      const [type = 0, flags = 0] = this.#rest.subarray(3, 5);
      const stream = this.#rest.readUInt32BE(5);
      seen.push({ type, flags, stream, payload, ...this.#fieldsOf(type, payload) });
      this.#rest = this.#rest.subarray(end);
    }
    return seen;
  }

  /** "RST_STREAM 1 5", "GOAWAY 1" and the like: what the server did about a mistake. */
  reaction(): string[] {
    return this.frames().flatMap(({ type, stream, payload }) => {
      if (type === FrameType.rstStream) return [`RST_STREAM ${stream} ${payload.readUInt32BE()}`];
      if (type === FrameType.goaway) return [`GOAWAY ${payload.readUInt32BE(4)}`];
      return [];
    });
  }

  #fieldsOf(type: number, payload: Buffer): { fields?: Fields } {
    if (type !== FrameType.headers) return {};
    const list = new FieldList(1 << 20);
    this.#decoder.decode(payload, 0, payload.length, list);
    return { fields: list.names.map((name, at) => [name, list.values[at] as string]) };
  }
}
