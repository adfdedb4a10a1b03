/**
 * Frames that steer the connection: SETTINGS, PING, WINDOW_UPDATE, PRIORITY, GOAWAY, and the
 * connection's end by GOAWAY. Sections in comments are of RFC 9113.
 */
import { ConnectionError } from "./connection-error.js";
import { ErrorCode, Flag, FrameType, SettingId, windowMax } from "./constants.js";
import { broken, windowTooLarge, wrongSize } from "./frame-errors.js";
import type { PingPolicy } from "./ping-policy.js";
import type { SessionCore } from "./session-core.js";
import { encodeSettings } from "./settings.js";

const drainPing = Buffer.from("draining");
const nothing = Buffer.alloc(0);

export class ControlFrames {
  /** The peer has sent its SETTINGS. */
  hasSettings = false;
  readonly #core: SessionCore;
  readonly #pings: PingPolicy;

  constructor(core: SessionCore, pings: PingPolicy) {
    this.#core = core;
    this.#pings = pings;
  }

  /** The server's preface (section 3.4), and the connection's window. */
  sendSettings(): void {
    const { concurrentStreamsMax, headerListBytesMax, streamWindow, connectionWindow } =
      this.#core.limits;
    const settings = encodeSettings([
      [SettingId.maxConcurrentStreams, concurrentStreamsMax],
      [SettingId.initialWindowSize, streamWindow],
      [SettingId.maxHeaderListSize, headerListBytesMax],
    ]);
    this.#core.sender.frame(FrameType.settings, 0, 0, settings);
    const more = connectionWindow - this.#core.sender.connectionWindow;
    if (more > 0) this.#core.sender.control(FrameType.windowUpdate, 0, 0, more);
  }

  /**
   * Announces that the server wants no new streams. The answer to the ping shows which ones were
   * under way.
   */
  drain(): void {
    this.#core.draining = "asked";
    this.#core.sender.goaway(windowMax, ErrorCode.noError, "");
    this.#core.sender.frame(FrameType.ping, 0, 0, drainPing);
  }

  /** Section 6.9. */
  onWindowUpdate(id: number, bytes: Buffer, start: number, end: number): void {
    if (end - start !== 4) throw wrongSize("WINDOW_UPDATE");
    const more = bytes.readUInt32BE(start) & windowMax;
    if (id === 0) {
      if (more === 0) throw broken("WINDOW_UPDATE of 0");
      this.#core.sender.connectionWindow += more;
      if (this.#core.sender.connectionWindow > windowMax) {
        throw windowTooLarge();
      }
      this.#core.spendIdle();
      this.#core.tellOutput();
      return;
    }
    if (this.#core.streams.isIdle(id)) throw broken("WINDOW_UPDATE on an idle stream");
    const stream = this.#core.streams.get(id);
    this.#core.spendIdle();
    if (stream === undefined) return;
    if (more === 0) {
      this.#core.breakStream(id, stream, ErrorCode.protocolError);
    } else if (stream.sendWindow + more > windowMax) {
      this.#core.breakStream(id, stream, ErrorCode.flowControlError);
    } else {
      stream.sendWindow += more;
      this.#core.sender.putInLine(stream);
      this.#core.tellOutput();
    }
  }

  /** Section 6.5. */
  onSettings(id: number, flags: number, bytes: Buffer, start: number, end: number): void {
    if (id !== 0) throw broken("SETTINGS on a stream");
    if ((flags & Flag.ack) !== 0) {
      if (end > start) throw wrongSize("SETTINGS acknowledgement");
      if (!this.hasSettings) throw broken("SETTINGS must come first");
      this.#core.spendIdle();
      return;
    }
    if (this.hasSettings) this.#core.guard.control(this.#core.nowMs);
    this.hasSettings = true;
    const before = this.#core.settings.streamWindow;
    this.#core.settings.apply(bytes, start, end);
    this.#core.sender.encoder.limitTable(this.#core.settings.headerTableBytes);
    this.#moveWindows(this.#core.settings.streamWindow - before);
    this.#core.sender.frame(FrameType.settings, Flag.ack, 0, nothing);
  }

  /** Section 6.9.2: it applies to open streams too, whose windows may become negative. */
  #moveWindows(by: number): void {
    if (by === 0) return;
    for (const stream of this.#core.streams.all()) {
      stream.sendWindow += by;
      if (stream.sendWindow > windowMax) {
        throw windowTooLarge();
      }
      this.#core.sender.putInLine(stream);
    }
  }

  /** Section 6.7. */
  onPing(id: number, flags: number, bytes: Buffer, start: number, end: number): void {
    if (id !== 0) throw broken("PING on a stream");
    if (end - start !== 8) throw wrongSize("PING");
    if ((flags & Flag.ack) !== 0) {
      this.#core.spendIdle();
      if (this.#core.draining === "asked" && drainPing.equals(bytes.subarray(start, end))) {
        this.#drainLast();
      }
      return;
    }
    const { hasSent } = this.#core.sender;
    // grpc-go's clients ping once in each round trip in which the server sends, to measure the
    // distance.
    if (!hasSent) this.#core.guard.control(this.#core.nowMs);
    this.#core.sender.hasSent = false;
    this.#core.sender.frame(FrameType.ping, Flag.ack, 0, bytes.subarray(start, end));
    if (!this.#pings.onPing(this.#core.nowMs, this.#core.streams.count > 0, hasSent)) {
      throw new ConnectionError(ErrorCode.enhanceYourCalm, "too_many_pings");
    }
  }

  /** Section 6.3: checked, then ignored. */
  onPriority(id: number, bytes: Buffer, start: number, end: number): void {
    if (id === 0) throw broken("PRIORITY on the connection");
    this.#core.spendIdle();
    const stream = this.#core.streams.get(id);
    if (end - start !== 5) this.#core.breakStream(id, stream, ErrorCode.frameSizeError);
    else if ((bytes.readUInt32BE(start) & windowMax) === id) {
      this.#core.breakStream(id, stream, ErrorCode.protocolError);
    }
  }

  /**
   * Section 6.8. The client says that it will begin no more streams, which changes nothing here.
   */
  onGoaway(id: number, length: number): void {
    if (id !== 0) throw broken("GOAWAY on a stream");
    if (length < 8) throw wrongSize("GOAWAY");
    this.#core.spendIdle();
  }

  #drainLast(): void {
    this.#core.draining = "last";
    this.#core.sender.goaway(this.#core.streams.lastId, ErrorCode.noError, "");
    if (this.#core.streams.count === 0) this.#core.isOver = true;
  }
}
