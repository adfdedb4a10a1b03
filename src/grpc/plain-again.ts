/**
 * A request of HTTP/1 that offers another protocol which nobody here speaks (curl's --http2 offers
 * h2c) is a plain request: RFC 9110, section 7.8. Node has taken the connection from its server by
 * then, so the request goes to the server anew, without the offer, on a connection in memory.
 */
import type { IncomingMessage } from "node:http";
import { type Duplex, duplexPair } from "node:stream";

/** Fields that make the offer. */
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
