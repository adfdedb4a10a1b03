/** The most common errors of frames that end a connection, and the padding of frames. */
import { ConnectionError } from "./connection-error.js";
import { ErrorCode } from "./constants.js";

/** PROTOCOL_ERROR; `text` goes into GOAWAY. */
export function broken(text: string): ConnectionError {
  return new ConnectionError(ErrorCode.protocolError, text);
}

/** FRAME_SIZE_ERROR; `what` names the frame. */
export function wrongSize(what: string): ConnectionError {
  return new ConnectionError(ErrorCode.frameSizeError, `${what} of a wrong size`);
}

/** FLOW_CONTROL_ERROR: a window grew beyond `windowMax`. */
export function windowTooLarge(): ConnectionError {
  return new ConnectionError(ErrorCode.flowControlError, "a window that is too large");
}

/** The octets of padding at the end (RFC 9113, section 6.1). @throws ConnectionError */
export function paddingOf(bytes: Buffer, start: number, end: number): number {
  if (start === end) throw wrongSize("a padded frame");
  const padding = bytes[start] as number;
  if (padding >= end - start) throw broken("more padding than payload");
  return padding;
}
