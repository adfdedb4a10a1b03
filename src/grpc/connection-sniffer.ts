/**
 * Tells HTTP/2 from HTTP/1 by the first bytes of a connection, so that gRPC and plain HTTP share a
 * port. The bytes are put back: whoever gets the socket reads it from its start. What sends nothing
 * recognisable in time, or cannot be HTTP at all, is closed.
 */
import type { Socket } from "node:net";

/** How a client that speaks HTTP/2 without negotiation begins (RFC 9113, 3.4). */
const preface = Buffer.from("PRI * HTTP/2.0");
const startTimeoutMs = 10_000;

export interface Protocols {
  http2(socket: Socket): void;
  http1(socket: Socket): void;
}

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
    if (isPreface && shared === preface.length) hand(protocols.http2);
    else if (!isPreface && mayBeHttp1(head)) hand(protocols.http1);
    else if (!isPreface) giveUp();
  };
  // Not the idle time of the socket alone: bytes that trickle in do not extend it by much.
  socket.setTimeout(timeoutMs);
  socket.on("timeout", giveUp);
  socket.on("end", giveUp);
  socket.on("readable", look);
}

/** Node's parser waits for ever on a preface that is none. */
function mayBeHttp1(head: Buffer): boolean {
  const first = head[0] as number;
  return first >= 0x41 && first <= 0x5a && head.toString("latin1", 0, 4) !== "PRI ";
}
