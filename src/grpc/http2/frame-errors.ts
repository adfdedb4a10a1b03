/** The commonest ways in which a frame ends its connection, and what a frame's padding is. */
import { ConnectionError } from "./connection-error.js";
import { ErrorCode } from "./constants.js";

export function broken(text: string): ConnectionError {
  return new ConnectionError(ErrorCode.protocolError, text);
}

export function wrongSize(what: string): ConnectionError {
  return new ConnectionError(ErrorCode.frameSizeError, `${what} of a wrong size`);
}

export function windowTooLarge(): ConnectionError {
  return new ConnectionError(ErrorCode.flowControlError, "a window that is too large");
}

/** How many octets of padding stand at the end (RFC 9113, section 6.1). @throws ConnectionError */
export function paddingOf(bytes: Buffer, start: number, end: number): number {
  if (start === end) throw wrongSize("a padded frame");
  const padding = bytes[start] as number;
  if (padding >= end - start) throw broken("more padding than payload");
  return padding;
}
