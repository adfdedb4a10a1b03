/**
 * Counts frames that cost the server more than the peer (RFC 9113, section 10.5). Each kind has a
 * budget. Beyond it the connection ends with ENHANCE_YOUR_CALM.
 */
import { ConnectionError } from "./connection-error.js";
import { ErrorCode } from "./constants.js";
import type { Http2Limits } from "./limits.js";
import { RateBucket } from "./rate-bucket.js";

export class AbuseGuard {
  readonly #resets: RateBucket;
  readonly #controls: RateBucket;
  readonly #idleFrames: RateBucket;

  constructor(limits: Http2Limits) {
    this.#resets = new RateBucket(limits.resetsBurst, limits.resetsPerSecond);
    this.#controls = new RateBucket(limits.controlsBurst, limits.controlsPerSecond);
    this.#idleFrames = new RateBucket(limits.idleFramesBurst, limits.idleFramesPerSecond);
  }

  /** A stream that ended before its answer did. @throws ConnectionError */
  reset(nowMs: number): void {
    if (!this.#resets.take(nowMs)) throw calm("too many streams were reset");
  }

  /** A frame that asks for an answer and carries nothing. @throws ConnectionError */
  control(nowMs: number): void {
    if (!this.#controls.take(nowMs)) throw calm("too many SETTINGS or PING frames");
  }

  /** A frame that does nothing. @throws ConnectionError */
  idleFrame(nowMs: number): void {
    if (!this.#idleFrames.take(nowMs)) throw calm("too many frames that do nothing");
  }
}

function calm(text: string): ConnectionError {
  return new ConnectionError(ErrorCode.enhanceYourCalm, text);
}
