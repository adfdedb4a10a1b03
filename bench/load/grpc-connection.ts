/**
 * A gRPC client connection for loads: it encodes nothing, decodes nothing but frames and message
 * boundaries, and writes once a turn, so that it costs less than the server under test. Unary calls
 * and bidirectional streams share one HTTP/2 connection (RFC 9113, without priorities and push).
 *
 * It trusts the server: an answer without a message counts as failed. What the trailers say is read
 * only if the caller asks for it (`onRefused`), because that costs as much as all the rest.
 */
import { connect, type Socket } from "node:net";
import {
  defaultWindow,
  Flag,
  FrameType,
  frameHeaderBytes,
  preface,
  SettingId,
  windowMax,
} from "../../src/grpc/http2/constants.js";
import { FrameReader } from "../../src/grpc/http2/frame-reader.js";
import { FieldList, HpackDecoder } from "../../src/grpc/http2/hpack/decoder.js";
import { MessageCutter } from "./message-cutter.js";
import { RequestHeads } from "./request-heads.js";

/** What the servers may send before we open the window again. */
const streamWindow = 64 * 1024 * 1024;
const prefixBytes = 5;

/** What a unary call gave: its message, or undefined when it failed. */
export type Answered = (message: Buffer | undefined) => void;

/** An open bidirectional stream. Messages to send are whole and unframed. */
export interface LoadStream {
  send(message: Uint8Array): void;
}

interface OpenStream {
  sendWindow: number;
  received: number;
  readonly cutter: MessageCutter;
  readonly onEnd: () => void;
}

interface QueuedFrame {
  readonly streamId: number;
  readonly frame: Buffer;
  readonly bytes: number;
}

export class GrpcConnection {
  readonly #socket: Socket;
  readonly #heads: RequestHeads;
  readonly #streams = new Map<number, OpenStream>();
  readonly #reader: FrameReader;
  #out: Buffer[] = [];
  #isFlushAsked = false;
  #nextId = 1;
  #sendWindow = defaultWindow;
  #peerStreamWindow = defaultWindow;
  #received = 0;
  /** DATA that the server's windows do not allow yet, in order. */
  #held: QueuedFrame[] = [];
  #isClosed = false;
  #fields: HpackDecoder | undefined;
  #onRefused: ((reason: string) => void) | undefined;

  private constructor(socket: Socket, endpoint: string) {
    this.#socket = socket;
    this.#heads = new RequestHeads(endpoint);
    this.#reader = new FrameReader(this, 1 << 24);
    socket.on("data", (chunk: Buffer) => this.#reader.receive(chunk, 0));
    socket.on("error", () => this.close());
    socket.on("close", () => this.close());
    this.#write(preface);
    this.#write(settingsFrame([SettingId.initialWindowSize, windowMax]));
    this.#write(numberFrame(FrameType.windowUpdate, 0, windowMax - defaultWindow));
  }

  static open(endpoint: string): Promise<GrpcConnection> {
    const [host, port] = endpoint.split(":");
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port: Number(port), noDelay: true });
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(new GrpcConnection(socket, endpoint));
      });
    });
  }

  /**
   * Calls `fn` with the status of each call that fails from now on. Ask for it before the first call.
   */
  onRefused(fn: (reason: string) => void): void {
    this.#fields = new HpackDecoder(4_096);
    this.#onRefused = fn;
  }

  /** `answered` is called once, also when the connection breaks. */
  call(path: string, message: Uint8Array, answered: Answered): void {
    let answer: Buffer | undefined;
    const id = this.#open(
      path,
      (found) => {
        answer = found;
      },
      () => answered(answer),
    );
    this.#data(id, message, Flag.endStream);
  }

  /** `onMessage` gets each message of the server, valid only inside the call. */
  stream(path: string, onMessage: (message: Buffer) => void): LoadStream {
    const id = this.#open(path, onMessage, () => {});
    return { send: (message) => this.#data(id, message, 0) };
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.destroy();
    for (const { onEnd } of this.#streams.values()) onEnd();
    this.#streams.clear();
  }

  /** Called by the frame reader. */
  onFrame(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number) {
    if (type === FrameType.headers && this.#fields !== undefined) {
      const fields = new FieldList(1 << 16);
      this.#fields.decode(bytes, start, end, fields);
      this.#tellStatus(fields);
    }
    if (type === FrameType.data) this.#onData(id, bytes, start, end);
    else if (type === FrameType.settings && (flags & Flag.ack) === 0) {
      this.#onSettings(bytes.subarray(start, end));
    } else if (type === FrameType.windowUpdate) this.#onWindow(id, bytes.readUInt32BE(start));
    else if (type === FrameType.ping && (flags & Flag.ack) === 0) {
      this.#write(frameOf(FrameType.ping, Flag.ack, 0, bytes.subarray(start, end)));
    }
    const isEnd =
      (flags & Flag.endStream) !== 0 && (type === FrameType.data || type === FrameType.headers);
    if (isEnd || type === FrameType.rstStream) this.#end(id);
    return true;
  }

  #tellStatus(fields: FieldList): void {
    const fieldOf = (name: string): string => fields.values[fields.names.indexOf(name)] ?? "";
    const code = fieldOf("grpc-status");
    if (code === "" || code === "0") return;
    this.#onRefused?.(`status ${code}: ${decodeURIComponent(fieldOf("grpc-message"))}`);
  }

  #open(path: string, onMessage: (message: Buffer) => void, onEnd: () => void): number {
    const id = this.#nextId;
    this.#nextId += 2;
    const cutter = new MessageCutter(onMessage);
    this.#streams.set(id, { sendWindow: this.#peerStreamWindow, received: 0, cutter, onEnd });
    if (this.#isClosed) this.#end(id);
    else this.#write(frameOf(FrameType.headers, Flag.endHeaders, id, this.#heads.block(path)));
    return id;
  }

  #data(streamId: number, message: Uint8Array, flags: number): void {
    const bytes = prefixBytes + message.length;
    const frame = Buffer.allocUnsafe(frameHeaderBytes + bytes);
    writeFrameHeader(frame, FrameType.data, flags, streamId, bytes);
    frame[frameHeaderBytes] = 0;
    frame.writeUInt32BE(message.length, frameHeaderBytes + 1);
    frame.set(message, frameHeaderBytes + prefixBytes);
    this.#held.push({ streamId, frame, bytes });
    this.#sendHeld();
  }

  #sendHeld(): void {
    let sent = 0;
    for (const { streamId, frame, bytes } of this.#held) {
      const stream = this.#streams.get(streamId);
      if (stream !== undefined) {
        if (bytes > this.#sendWindow || bytes > stream.sendWindow) break;
        stream.sendWindow -= bytes;
        this.#sendWindow -= bytes;
        this.#write(frame);
      }
      sent++;
    }
    if (sent > 0) this.#held = sent === this.#held.length ? [] : this.#held.slice(sent);
  }

  #onData(id: number, bytes: Buffer, start: number, end: number): void {
    const length = end - start;
    this.#received += length;
    if (this.#received > streamWindow) {
      this.#write(numberFrame(FrameType.windowUpdate, 0, this.#received));
      this.#received = 0;
    }
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    stream.received += length;
    if (stream.received > streamWindow) {
      this.#write(numberFrame(FrameType.windowUpdate, id, stream.received));
      stream.received = 0;
    }
    stream.cutter.receive(bytes, start, end);
  }

  #onSettings(payload: Buffer): void {
    for (let at = 0; at + 6 <= payload.length; at += 6) {
      if (payload.readUInt16BE(at) !== SettingId.initialWindowSize) continue;
      const window = payload.readUInt32BE(at + 2);
      for (const stream of this.#streams.values()) {
        stream.sendWindow += window - this.#peerStreamWindow;
      }
      this.#peerStreamWindow = window;
    }
    this.#write(frameOf(FrameType.settings, Flag.ack, 0, Buffer.alloc(0)));
    this.#sendHeld();
  }

  #onWindow(id: number, more: number): void {
    const stream = this.#streams.get(id);
    if (id === 0) this.#sendWindow += more;
    else if (stream !== undefined) stream.sendWindow += more;
    this.#sendHeld();
  }

  #end(id: number): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    this.#streams.delete(id);
    stream.onEnd();
  }

  #write(bytes: Buffer): void {
    this.#out.push(bytes);
    if (this.#isFlushAsked) return;
    this.#isFlushAsked = true;
    setImmediate(() => {
      this.#isFlushAsked = false;
      const all = this.#out.length === 1 ? (this.#out[0] as Buffer) : Buffer.concat(this.#out);
      this.#out = [];
      if (!this.#isClosed) this.#socket.write(all);
    });
  }
}

function writeFrameHeader(
  out: Buffer,
  type: number,
  flags: number,
  streamId: number,
  length: number,
): void {
  out.writeUIntBE(length, 0, 3);
  out[3] = type;
  out[4] = flags;
  out.writeUInt32BE(streamId, 5);
}

function frameOf(type: number, flags: number, streamId: number, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(frameHeaderBytes + payload.length);
  writeFrameHeader(frame, type, flags, streamId, payload.length);
  frame.set(payload, frameHeaderBytes);
  return frame;
}

function numberFrame(type: number, streamId: number, value: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(value);
  return frameOf(type, 0, streamId, payload);
}

function settingsFrame([id, value]: readonly [number, number]): Buffer {
  const payload = Buffer.alloc(6);
  payload.writeUInt16BE(id);
  payload.writeUInt32BE(value, 2);
  return frameOf(FrameType.settings, 0, 0, payload);
}
