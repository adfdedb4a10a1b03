/**
 * Keeps every open connection of a server, of either protocol. Closing waits only for requests that
 * are being answered. It cuts silent connections, incomplete requests and idle keep-alive
 * connections at once. HTTP/2 sessions end by themselves when they are drained.
 */
import type { RequestListener } from "node:http";
import type { Socket } from "node:net";
import { type Protocols, sniff } from "./connection-sniffer.js";

export class Connections {
  readonly #protocols: Protocols;
  readonly #open = new Set<Socket>();
  readonly #http2 = new WeakSet<Socket>();
  /** How many requests of an HTTP/1 connection are not answered yet. */
  readonly #running = new WeakMap<Socket, number>();
  readonly #whenEmpty: (() => void)[] = [];
  #isClosing = false;

  constructor(protocols: Protocols) {
    this.#protocols = protocols;
  }

  accept(socket: Socket): void {
    if (this.#isClosing) {
      socket.destroy();
      return;
    }
    this.#open.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => {
      this.#open.delete(socket);
      if (this.#open.size === 0) for (const fn of this.#whenEmpty.splice(0)) fn();
    });
    sniff(socket, {
      http1: this.#protocols.http1,
      http2: (ready) => {
        this.#http2.add(ready);
        this.#protocols.http2(ready);
      },
    });
  }

  /** The listener, with its requests counted so that closing knows them. */
  counted(listener: RequestListener): RequestListener {
    return (request, response) => {
      const { socket } = request;
      this.#running.set(socket, this.#runningOn(socket) + 1);
      response.once("close", () => {
        const running = this.#runningOn(socket) - 1;
        this.#running.set(socket, running);
        // A request that came over HTTP/2 has a connection in memory only.
        if (this.#isClosing && running === 0 && this.#open.has(socket)) socket.destroySoon();
      });
      listener(request, response);
    };
  }

  /**
   * Takes no new connections and cuts those that answer nothing. Resolves for every caller when
   * none is open.
   */
  drain(): Promise<void> {
    this.#isClosing = true;
    for (const socket of this.#open) {
      if (!this.#http2.has(socket) && this.#runningOn(socket) === 0) socket.destroy();
    }
    return new Promise((resolve) => {
      if (this.#open.size === 0) resolve();
      else this.#whenEmpty.push(resolve);
    });
  }

  /**
   * Cuts all connections, HTTP/2 ones inside a frame: clients take that for an unavailable server,
   * but the reset of a stream for a cancelled call.
   */
  destroy(): void {
    for (const socket of this.#open) socket.destroy();
  }

  #runningOn(socket: Socket): number {
    return this.#running.get(socket) ?? 0;
  }
}
