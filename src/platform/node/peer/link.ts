/**
 * The outgoing connection to one peer. It redials for ever, through the peer's addresses in turn.
 * If the peer answers nothing for a while, everything written to the connection is lost anyway: it
 * is closed and made anew, so that a repaired path is used at once.
 */
import { randomBytes } from "node:crypto";
import type net from "node:net";
import type { Histogram } from "../../../base/histogram.js";
import type { NetworkHandler } from "../../network.js";
import type { PeerDialer } from "./dialer.js";
import {
  emptyFrame,
  encodeGreeting,
  frameHeader,
  type Greeting,
  HelloStatus,
  helloMagic,
  nonceBytes,
  PeerFrameReader,
} from "./framing.js";
import { type CallbackFailed, owned } from "./owned.js";

/** A peer with more bytes than this in its queue is treated as unreachable. */
const queueBytesMax = 64 * 1024 * 1024;
/** Delay after a connection that had worked. */
const redialAtOnceMs = 10;
const redialSoonMs = 100;
/** Delay after several refusals in a row. */
const redialSlowMs = 1_000;
const refusalsMax = 10;
const connectTimeoutMs = 1_000;
const helloTimeoutMs = 4_000;
/** At each tick the link asks once whether the peer is alive. */
const tickMs = 500;
/** Silence is counted in ticks: while this process stood still, the peer was not silent. */
const silentTicksMax = 6;

export interface PeerTarget {
  readonly id: bigint;
  readonly urls: readonly string[];
}

export class PeerLink {
  activeSince: number | undefined;
  readonly target: PeerTarget;
  readonly #handler: NetworkHandler;
  readonly #dialer: PeerDialer;
  readonly #now: () => number;
  readonly #failed: CallbackFailed;
  readonly #roundTrips: Histogram;
  readonly #ticker: NodeJS.Timeout;
  #socket: net.Socket | undefined;
  /** The token of a connection that has said hello and has not proven itself yet. */
  #token: Buffer | undefined;
  #redial: NodeJS.Timeout | undefined;
  #dials = 0;
  #refusals = 0;
  #silentTicks = 0;
  #flushedBytes = 0;
  /** When this member asked whether the peer is alive. Undefined: the peer has answered. */
  #askedMs: number | undefined;
  #isClosed = false;
  #isCorked = false;

  constructor(
    target: PeerTarget,
    handler: NetworkHandler,
    parts: {
      readonly dialer: PeerDialer;
      readonly now: () => number;
      readonly roundTrips: Histogram;
      readonly failed: CallbackFailed;
    },
  ) {
    this.target = target;
    this.#handler = handler;
    this.#dialer = parts.dialer;
    this.#now = parts.now;
    this.#roundTrips = parts.roundTrips;
    this.#failed = parts.failed;
    this.#ticker = setInterval(
      owned(() => this.#tick(), parts.failed),
      tickMs,
    );
    this.#dial();
  }

  send(message: Uint8Array): boolean {
    const socket = this.#socket;
    if (socket === undefined || this.activeSince === undefined) return false;
    if (socket.writableLength > queueBytesMax) return false;
    // The other side would close the connection, and later messages would be lost.
    if (message.length > this.#handler.messageBytesMax(message[0] as number)) return false;
    // All messages of one turn leave in one write.
    if (!this.#isCorked) {
      this.#isCorked = true;
      socket.cork();
      process.nextTick(() => {
        this.#isCorked = false;
        socket.uncork();
      });
    }
    socket.write(frameHeader(message));
    socket.write(message);
    return true;
  }

  /** A peer asks whether this member dialled it: sends the nonce on the connection in question. */
  prove(challenge: Greeting): boolean {
    if (this.#token === undefined || !this.#token.equals(challenge.token)) return false;
    if (challenge.nonce.length !== nonceBytes) return false;
    // The token is used only once, so that a peer that has seen it cannot use it later.
    this.#token = undefined;
    this.#socket?.write(challenge.nonce);
    return true;
  }

  /** The peer has just proven itself to this member, so it is alive: the link dials at once. */
  hurry(): void {
    if (this.#redial === undefined) return;
    clearTimeout(this.#redial);
    this.#dial();
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#ticker);
    clearTimeout(this.#redial);
    this.#socket?.destroy();
  }

  #dial(): void {
    this.#redial = undefined;
    const { id, urls } = this.target;
    const text = urls[this.#dials++ % urls.length];
    if (text === undefined || this.#isClosed) return;
    const token = randomBytes(nonceBytes);
    const socket = this.#dialer.dial(text, () => {
      clearTimeout(deadline);
      deadline = setTimeout(() => socket.destroy(), helloTimeoutMs);
      this.#token = token;
      const [clusterId, from] = [this.#handler.clusterId(), this.#handler.memberId()];
      const [nonce, incarnation] = [Buffer.alloc(0), this.#handler.incarnation()];
      const hello = { clusterId, from, to: id, token, nonce, incarnation };
      socket.write(encodeGreeting(helloMagic, hello));
    });
    this.#socket = socket;
    let deadline = setTimeout(() => socket.destroy(), connectTimeoutMs);
    const reader = new PeerFrameReader(() => 0);
    socket.on("data", (chunk: Buffer) => {
      let rest = chunk;
      this.#silentTicks = 0;
      this.#answered();
      if (this.activeSince === undefined) {
        clearTimeout(deadline);
        if (!this.#greeted(socket, chunk[0] as HelloStatus)) return;
        rest = chunk.subarray(1);
      }
      if (rest.length > 0 && reader.push(rest, () => {}) !== undefined) socket.destroy();
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      clearTimeout(deadline);
      this.#lost();
    });
  }

  #greeted(socket: net.Socket, status: HelloStatus): boolean {
    this.#token = undefined;
    if (status === HelloStatus.ok) {
      this.#refusals = 0;
      socket.setKeepAlive(true, 10_000);
      this.activeSince = this.#now();
      this.#handler.linkChanged(this.target.id, true);
      return true;
    }
    if (status !== HelloStatus.notReady) this.#refusals++;
    socket.destroy();
    if (status === HelloStatus.removed) this.#handler.removedFromCluster();
    if (status === HelloStatus.wrongIncarnation) this.#handler.refusedIncarnation();
    return false;
  }

  #tick(): void {
    const socket = this.#socket;
    if (socket === undefined || this.activeSince === undefined) return;
    // While the queue gets shorter, the connection still works: the answer comes behind the queued
    // bytes.
    const flushedBytes = socket.bytesWritten - socket.writableLength;
    const isMoving = socket.writableLength > 0 && flushedBytes > this.#flushedBytes;
    this.#flushedBytes = flushedBytes;
    this.#silentTicks = isMoving ? 0 : this.#silentTicks + 1;
    if (this.#silentTicks > silentTicksMax) socket.destroy();
    else {
      this.#askedMs ??= this.#now();
      socket.write(emptyFrame);
    }
  }

  /** The peer sends nothing but answers on this connection. */
  #answered(): void {
    if (this.#askedMs === undefined) return;
    this.#roundTrips.observe((this.#now() - this.#askedMs) / 1_000);
    this.#askedMs = undefined;
  }

  #lost(): void {
    const wasActive = this.activeSince !== undefined;
    this.activeSince = undefined;
    this.#socket = undefined;
    this.#token = undefined;
    this.#silentTicks = 0;
    this.#askedMs = undefined;
    this.#flushedBytes = 0;
    if (this.#isClosed) return;
    if (wasActive) {
      this.#handler.linkChanged(this.target.id, false);
      this.#handler.unreachable(this.target.id);
    }
    const redialMs = wasActive ? redialAtOnceMs : redialSoonMs;
    const delayMs = this.#refusals > refusalsMax ? redialSlowMs : redialMs;
    this.#redial = setTimeout(
      owned(() => this.#dial(), this.#failed),
      delayMs,
    );
  }
}
