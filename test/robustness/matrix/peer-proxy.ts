/**
 * Stands between the other members and one member's peer port, and flips a byte in the first pieces of
 * a state that pass it. Everything else goes through as it is. The layouts are those of docs/formats.md.
 */
import type net from "node:net";
import { crc32c } from "../../../src/base/crc32c.js";
import { TcpRelay, tapped } from "../../../src/cli/stage/relay.js";
import {
  decodeGreeting,
  frameHeader,
  helloMagic,
  magicBytes,
  nonceBytes,
  peerFrameHeaderBytes,
} from "../../../src/platform/node/peer/framing.js";

/**
 * Which checksums of the way are made right again, so that the next one has to find it: "frame" none,
 * "piece" that of the frame, "row" also that of the piece.
 */
export type Flip = "frame" | "piece" | "row";

const responseKind = 3;
const envelopeHeadBytes = 9;
/** Nothing else that is answered between members is as large. */
const pieceBytesMin = 64 * 1024;

export interface PeerProxyOptions {
  readonly targetPort: number;
  readonly flip: Flip;
  /** So many pieces are damaged. */
  readonly count: number;
}

export class PeerProxy {
  readonly #options: PeerProxyOptions;
  #relay: TcpRelay | undefined;
  flipped = 0;
  pieces = 0;

  private constructor(options: PeerProxyOptions) {
    this.#options = options;
  }

  static async start(options: PeerProxyOptions): Promise<PeerProxy> {
    const proxy = new PeerProxy(options);
    proxy.#relay = await TcpRelay.start(
      options.targetPort,
      tapped((onward) => proxy.#passer(onward)),
    );
    return proxy;
  }

  get url(): string {
    return this.#relay?.url ?? "";
  }

  close(): void {
    this.#relay?.close();
  }

  /** Takes what the dialling side sends; frames are sent on when they are whole. */
  #passer(to: net.Socket): (chunk: Buffer) => void {
    let held: Buffer = Buffer.alloc(0);
    /** Bytes to pass on before the first frame: the greeting, then the nonce. Undefined: not known. */
    let before: number | undefined;
    return (chunk) => {
      held = Buffer.concat([held, chunk]);
      if (before === undefined) {
        if (held.length < magicBytes) return;
        const isHello = held.toString("latin1", 0, magicBytes) === helloMagic;
        const decoded = isHello ? decodeGreeting(held) : undefined;
        if (decoded === "cut") return;
        // Of anything but a hello nothing is a frame.
        before = decoded === undefined ? Number.POSITIVE_INFINITY : decoded.bytes + nonceBytes;
      }
      const passed = held.subarray(0, Math.min(before, held.length));
      before -= passed.length;
      if (passed.length > 0) to.write(passed);
      held = held.subarray(passed.length);
      while (held.length >= peerFrameHeaderBytes) {
        const length = peerFrameHeaderBytes + held.readUInt32LE(0);
        if (held.length < length) return;
        to.write(this.#onward(held.subarray(0, length)));
        held = held.subarray(length);
      }
    };
  }

  #onward(frame: Buffer): Buffer {
    const isPiece = frame[peerFrameHeaderBytes] === responseKind && frame.length > pieceBytesMin;
    if (isPiece) this.pieces++;
    if (!isPiece || this.flipped === this.#options.count) return frame;
    this.flipped++;
    return damaged(frame, this.#options.flip);
  }
}

/** In the middle of a piece stands a value of a client. */
function damaged(frame: Buffer, flip: Flip): Buffer {
  const message = Buffer.from(frame.subarray(peerFrameHeaderBytes));
  const place = message.length >> 1;
  message[place] = (message[place] as number) ^ 1;
  const piece = message.subarray(envelopeHeadBytes);
  if (flip === "row") piece.writeUInt32LE(crc32c(piece.subarray(4)), 0);
  const header = flip === "frame" ? frame.subarray(0, peerFrameHeaderBytes) : frameHeader(message);
  return Buffer.concat([header, message]);
}
