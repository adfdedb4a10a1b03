/** A TCP port that passes connections on to another one, so that a test sees or changes what flows. */
import net from "node:net";

/**
 * Called for each connection with its onward side. Gets what the dialling side sends and has to pass
 * it on; answers flow back by themselves.
 */
export type Tap = (onward: net.Socket) => (chunk: Buffer) => void;

export class TcpRelay {
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();

  private constructor(targetPort: number, tap: Tap) {
    this.#server = net.createServer((incoming) => {
      const onward = net.connect(targetPort, "127.0.0.1");
      for (const [socket, other] of [
        [incoming, onward],
        [onward, incoming],
      ] as const) {
        this.#sockets.add(socket);
        socket.on("error", () => socket.destroy());
        socket.on("close", () => {
          this.#sockets.delete(socket);
          other.destroy();
        });
      }
      onward.pipe(incoming);
      incoming.on("data", tap(onward));
    });
  }

  static start(targetPort: number, tap: Tap): Promise<TcpRelay> {
    const relay = new TcpRelay(targetPort, tap);
    return new Promise((resolve, reject) => {
      relay.#server.once("error", reject);
      relay.#server.listen(0, "127.0.0.1", () => resolve(relay));
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as net.AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
