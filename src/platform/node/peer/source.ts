/**
 * The incoming connection of a member that has proven itself: it takes frames, and answers each
 * empty frame with one. It may hold one frame in memory, as large as its kind allows, for a time
 * that fits its length.
 */
import type net from "node:net";
import type { NetworkHandler, RejectionReason } from "../../network.js";
import { emptyFrame, PeerFrameReader } from "./framing.js";
import { type CallbackFailed, owned } from "./owned.js";

const tickMs = 500;
/**
 * Silence after which the connection is closed. The other side asks every half second, but its
 * process may stand still for a while.
 */
const silentTicksMax = 20;
/** A frame of which a part has come must be whole after this, plus a second for each MiB. */
const frameTicksMax = 20;
const bytesPerTick = 512 * 1024;
/** The connection is closed when this many bytes of answers wait that the peer does not read. */
const answerBytesMax = 16 * 1024;

export type SourceHandler = Pick<NetworkHandler, "messageBytesMax" | "received" | "rejected">;

export class PeerSource {
  readonly #socket: net.Socket;
  readonly #id: bigint;
  readonly #handler: SourceHandler;
  readonly #reader: PeerFrameReader;
  readonly #ticker: NodeJS.Timeout;
  #silentTicks = 0;
  /** For how many ticks the current frame has been incomplete. */
  #frameTicks = 0;

  constructor(socket: net.Socket, id: bigint, handler: SourceHandler, failed: CallbackFailed) {
    this.#socket = socket;
    this.#id = id;
    this.#handler = handler;
    this.#reader = new PeerFrameReader((kind) => handler.messageBytesMax(kind));
    this.#ticker = setInterval(
      owned(() => this.#tick(), failed),
      tickMs,
    );
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
      // Bytes left on a connection that was given up are not delivered.
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
