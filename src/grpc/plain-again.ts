/**
 * Handles an HTTP/1 request that offers another protocol which this server does not speak (curl's
 * --http2 offers h2c). RFC 9110, section 7.8 says to treat it as a plain request. Node has taken
 * the connection from its server by then. So this file sends the request to that server again,
 * without the offer, on a connection in memory.
 */
import type { IncomingMessage } from "node:http";
import { type Duplex, duplexPair } from "node:stream";

/** The header fields that make the offer. */
const offer = new Set(["upgrade", "connection", "http2-settings"]);

/**
 * @param head what came behind the request's head
 * @param accept gets the server's end of the connection in memory
 */
export function plainAgain(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  accept: (connection: Duplex) => void,
): void {
  const [ours, theirs] = duplexPair();
  const end = (): void => {
    socket.destroy();
    ours.destroy();
  };
  socket.on("error", end);
  socket.on("close", end);
  ours.on("error", end);
  ours.on("close", end);
  theirs.on("error", end);
  const lines = [`${request.method} ${request.url} HTTP/1.1`];
  for (let at = 0; at < request.rawHeaders.length; at += 2) {
    const name = request.rawHeaders[at] as string;
    if (!offer.has(name.toLowerCase())) lines.push(`${name}: ${request.rawHeaders[at + 1]}`);
  }
  ours.write(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
  ours.write(head);
  socket.pipe(ours);
  ours.pipe(socket);
  accept(theirs);
}
