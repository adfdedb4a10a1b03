/**
 * A TCP port of this machine that passes connections on to another one. The wire can see, change,
 * delay or cut what flows.
 */
import net from "node:net";

const host = "127.0.0.1";

/** Connects the two sides of one connection: it must pass on what each side sends. */
export type Wire = (incoming: net.Socket, onward: net.Socket) => void;

/**
 * A wire that hands what the dialling side sends to `tap`, which passes it on. Answers flow back
 * unchanged.
 */
export function tapped(tap: (onward: net.Socket) => (chunk: Buffer) => void): Wire {
  return (incoming, onward) => {
    onward.pipe(incoming);
    incoming.on("data", tap(onward));
  };
}

export class TcpRelay {
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();

  private constructor(targetPort: number, wire: Wire) {
    this.#server = net.createServer((incoming) => {
      const onward = net.connect(targetPort, host);
      for (const [socket, other] of [
        [incoming, onward],
        [onward, incoming],
      ] as const) {
        this.#sockets.add(socket);
        socket.setNoDelay(true);
        socket.on("error", () => socket.destroy());
        socket.on("close", () => {
          this.#sockets.delete(socket);
          other.destroy();
        });
      }
      wire(incoming, onward);
    });
  }

  /**
   * @param port 0: one that the system chooses
   * @throws if the port is taken
   */
  static start(targetPort: number, wire: Wire, port = 0): Promise<TcpRelay> {
    const relay = new TcpRelay(targetPort, wire);
    return new Promise((resolve, reject) => {
      relay.#server.once("error", reject);
      relay.#server.listen(port, host, () => resolve(relay));
    });
  }

  get url(): string {
    return `http://${host}:${(this.#server.address() as net.AddressInfo).port}`;
  }

  /** Ends all connections, and takes no further ones. */
  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
