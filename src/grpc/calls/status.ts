/** Statuses as trailers: "gRPC over HTTP/2", Responses. */
import type { Status } from "../call.js";
import { HeaderFields } from "../http2/hpack/encoder.js";

/** The header fields of every answer with messages. */
export const answerHead = new HeaderFields(
  [":status", "200", "content-type", "application/grpc"],
  true,
);
/** The trailers of a call that succeeded. */
export const okTrailers = new HeaderFields(["grpc-status", "0"], true);

const hex = "0123456789ABCDEF";

/** Printable ASCII stays as it is, but for %; any other octet of the UTF-8 text becomes %XX. */
export function percentEncode(text: string): string {
  if (/^[\x20-\x24\x26-\x7e]*$/.test(text)) return text;
  let encoded = "";
  for (const byte of Buffer.from(text)) {
    if (byte >= 0x20 && byte <= 0x7e && byte !== 0x25) encoded += String.fromCharCode(byte);
    else encoded += `%${hex[byte >> 4]}${hex[byte & 15]}`;
  }
  return encoded;
}

/** The end of an answer that has begun. */
export function trailersOf({ code, message }: Status): HeaderFields {
  return new HeaderFields([
    "grpc-status",
    String(code),
    ...(message === "" ? [] : ["grpc-message", percentEncode(message)]),
  ]);
}

/** An answer that is nothing but its end ("Trailers-Only"). */
export function statusOnly(status: Status): HeaderFields {
  return new HeaderFields([...answerHead.fields, ...trailersOf(status).fields]);
}
