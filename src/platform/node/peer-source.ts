/**
 * The incoming connection of a member that has proven itself: frames in, a sign of life back for each
 * empty one. What it may hold in memory is one frame of the size that its kind allows, for a time that
 * fits its length.
 */
import type net from "node:net";
import type { NetworkHandler, RejectionReason } from "../network.js";
import { emptyFrame, FrameReader } from "./peer-framing.js";

const tickMs = 500;
/** The other side asks each half second; it may stand still for a while. */
const silentTicksMax = 20;
/** A frame of which a part has come must be whole after this and a second for each MiB. */
const frameTicksMax = 20;
const bytesPerTick = 512 * 1024;
/** Answers that nobody reads are not heaped up. */
const answerBytesMax = 16 * 1024;

export class PeerSource {
  readonly #socket: net.Socket;
  readonly #id: bigint;
  readonly #handler: NetworkHandler;
  readonly #reader: FrameReader;
  readonly #ticker: NodeJS.Timeout;
  #silentTicks = 0;
  /** How long the frame under way has been so. */
  #frameTicks = 0;

  constructor(socket: net.Socket, id: bigint, handler: NetworkHandler) {
    this.#socket = socket;
    this.#id = id;
    this.#handler = handler;
    this.#reader = new FrameReader((kind) => handler.messageBytesMax(kind));
    this.#ticker = setInterval(() => this.#tick(), tickMs);
    socket.setKeepAlive(true, 10_000);
    socket.on("data", (chunk: Buffer) => this.#push(chunk));
    socket.on("close", () => clearInterval(this.#ticker));
  }

  close(): void {
    this.#socket.destroy();
  }

  #push(chunk: Buffer): void {
    this.#silentTicks = 0;
    const flaw = this.#reader.push(chunk, (message) => {
      this.#frameTicks = 0;
      // What is left of a connection that was given up is not delivered.
      if (this.#socket.destroyed) return;
      if (message.length > 0) this.#handler.received(this.#id, message);
      else if (this.#socket.writableLength < answerBytesMax) this.#socket.write(emptyFrame);
    });
    if (flaw !== undefined) this.#reject(flaw);
  }

  #tick(): void {
    const pending = this.#reader.pending();
    this.#frameTicks = pending === 0 ? 0 : this.#frameTicks + 1;
    if (this.#frameTicks > frameTicksMax + pending / bytesPerTick) this.#reject("frame_stalled");
    else if (++this.#silentTicks > silentTicksMax) this.#socket.destroy();
  }

  #reject(reason: RejectionReason): void {
    this.#socket.destroy();
    this.#handler.rejected({ reason, from: this.#id, fields: {} });
  }
}
