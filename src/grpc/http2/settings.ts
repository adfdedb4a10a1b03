/** SETTINGS of both sides (RFC 9113, section 6.5). */
import { ConnectionError } from "./connection-error.js";
import { defaultMaxFrame, defaultWindow, ErrorCode, SettingId, windowMax } from "./constants.js";

const entryBytes = 6;
const maxFrameMax = 0xff_ffff;

/** The peer's settings, with the defaults until it sends them. */
export class PeerSettings {
  headerTableBytes = 4_096;
  streamWindow = defaultWindow;
  maxFrame = defaultMaxFrame;

  /** Applies the payload of a SETTINGS frame. @throws ConnectionError */
  apply(payload: Buffer, start: number, end: number): void {
    if ((end - start) % entryBytes !== 0) {
      throw new ConnectionError(ErrorCode.frameSizeError, "SETTINGS is not a list of entries");
    }
    for (let at = start; at < end; at += entryBytes) {
      this.#set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
    }
  }

  #set(id: number, value: number): void {
    switch (id) {
      case SettingId.headerTableSize:
        this.headerTableBytes = value;
        break;
      case SettingId.enablePush:
        if (value > 1) throw new ConnectionError(ErrorCode.protocolError, "ENABLE_PUSH above 1");
        break;
      case SettingId.initialWindowSize:
        if (value > windowMax) {
          throw new ConnectionError(ErrorCode.flowControlError, "INITIAL_WINDOW_SIZE too large");
        }
        this.streamWindow = value;
        break;
      case SettingId.maxFrameSize:
        if (value < defaultMaxFrame || value > maxFrameMax) {
          throw new ConnectionError(ErrorCode.protocolError, "MAX_FRAME_SIZE out of its bounds");
        }
        this.maxFrame = value;
        break;
      default:
      // The server starts no streams, and it must ignore unknown settings (section 6.5.2).
    }
  }
}

/** The payload of a SETTINGS frame. */
export function encodeSettings(entries: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(entries.length * entryBytes);
  let at = 0;
  for (const [id, value] of entries) {
    at = payload.writeUInt16BE(id, at);
    at = payload.writeUInt32BE(value, at);
  }
  return payload;
}
