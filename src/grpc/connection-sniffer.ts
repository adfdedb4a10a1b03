/**
 * Tells HTTP/2 from HTTP/1 by the first bytes of a connection, so that gRPC and plain HTTP share a
 * port. It puts the bytes back, so the next reader gets the connection from its start. It closes a
 * connection that sends nothing recognisable in time, or that cannot be HTTP.
 */
import { METHODS } from "node:http";
import type { Socket } from "node:net";

/** How a client that speaks HTTP/2 without negotiation begins (RFC 9113, 3.4). */
const preface = Buffer.from("PRI * HTTP/2.0");
const startTimeoutMs = 10_000;
const methodLengthMax = Math.max(...METHODS.map((method) => method.length));

/** Who takes a connection, once its protocol is known. Each gets it with its first bytes unread. */
export interface Protocols {
  http2(socket: Socket): void;
  http1(socket: Socket): void;
}

/**
 * Calls one of `protocols` once, or destroys the socket after `timeoutMs` milliseconds or at its
 * end.
 */
export function sniff(socket: Socket, protocols: Protocols, timeoutMs = startTimeoutMs): void {
  let head: Buffer = Buffer.alloc(0);
  const stop = (): void => {
    socket.off("readable", look);
    socket.off("end", giveUp);
    socket.off("timeout", giveUp);
    socket.setTimeout(0);
  };
  const giveUp = (): void => {
    stop();
    socket.destroy();
  };
  const hand = (to: (socket: Socket) => void): void => {
    stop();
    socket.unshift(head);
    to(socket);
  };
  const look = (): void => {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return;
    head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
    const shared = Math.min(head.length, preface.length);
    const isPreface = head.compare(preface, 0, shared, 0, shared) === 0;
    if (isPreface) {
      if (shared === preface.length) hand(protocols.http2);
      return;
    }
    const isHttp1 = startsHttp1(head);
    if (isHttp1 === true) hand(protocols.http1);
    else if (isHttp1 === false) giveUp();
  };
  // Not the idle time of the socket alone: bytes that trickle in do not extend it by much.
  socket.setTimeout(timeoutMs);
  socket.on("timeout", giveUp);
  socket.on("end", giveUp);
  socket.on("readable", look);
}

/**
 * An HTTP/1 request begins with a method and a space (RFC 9112, 3). "maybe": more bytes are needed.
 * Other bytes get no answer: text could be taken for frames by a client that speaks HTTP/2.
 */
function startsHttp1(head: Buffer): boolean | "maybe" {
  const space = head.indexOf(0x20);
  const word = head.toString("latin1", 0, space < 0 ? methodLengthMax + 1 : space);
  if (space >= 0) return METHODS.includes(word);
  return METHODS.some((method) => method.startsWith(word)) ? "maybe" : false;
}
