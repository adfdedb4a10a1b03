/**
 * The Network port on TCP. One outgoing connection to each peer carries this member's messages; the
 * peer's incoming connection carries the peer's. Best effort: a message that does not fit the
 * peer's queue is dropped and reported as unreachable, and raft repeats. Bytes that are not this
 * protocol close only their connection. No message is accepted before its sender has proven its
 * identity (admission.ts).
 */
import net from "node:net";
import type { ClusterInfo, Network, NetworkHandler } from "../../network.js";
import { fetchClusterInfo } from "../cluster-query.js";
import { PeerAdmission } from "./admission.js";
import { PeerLink } from "./link.js";
import { PeerSource } from "./source.js";

export interface NodeNetworkOptions {
  readonly listen: readonly { readonly host: string; readonly port: number }[];
  readonly now: () => number;
  readonly log: (message: string, fields: Readonly<Record<string, unknown>>) => void;
}

/** Resolves when all addresses listen; rejects with the system's error (EADDRINUSE, ...). */
export async function listenForPeers(options: NodeNetworkOptions): Promise<PeerListener> {
  const listener = new PeerListener(options);
  try {
    await Promise.all(options.listen.map((address) => listener.listen(address)));
  } catch (error) {
    listener.close();
    throw error;
  }
  return listener;
}

/** Bound sockets that wait for their member. Connections before `connect` are refused. */
export class PeerListener {
  readonly #options: NodeNetworkOptions;
  readonly #servers: net.Server[] = [];
  #network: TcpNetwork | undefined;

  constructor(options: NodeNetworkOptions) {
    this.#options = options;
  }

  listen(address: { readonly host: string; readonly port: number }): Promise<void> {
    const server = net.createServer({ noDelay: true }, (socket) => {
      if (this.#network === undefined) socket.destroy();
      else this.#network.accept(socket);
    });
    this.#servers.push(server);
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(address.port, address.host, () => {
        server.off("error", reject);
        server.on("error", (error) => this.#options.log("peer listener failed", { error }));
        resolve();
      });
    });
  }

  addresses(): readonly net.AddressInfo[] {
    return this.#servers.map((server) => server.address() as net.AddressInfo);
  }

  connect(handler: NetworkHandler): Network {
    this.#network = new TcpNetwork(handler, this.#options, () => this.close());
    return this.#network;
  }

  close(): void {
    for (const server of this.#servers) server.close();
  }
}

class TcpNetwork implements Network {
  readonly #handler: NetworkHandler;
  readonly #now: () => number;
  readonly #onClose: () => void;
  readonly #links = new Map<bigint, PeerLink>();
  /** The newest incoming connection of each member. */
  readonly #sources = new Map<bigint, PeerSource>();
  readonly #admission: PeerAdmission;

  constructor(handler: NetworkHandler, options: NodeNetworkOptions, onClose: () => void) {
    this.#handler = handler;
    this.#now = options.now;
    this.#onClose = onClose;
    this.#admission = new PeerAdmission({
      handler,
      proven: (socket, id) => this.#proven(socket, id),
      challenged: (greeting) => this.#links.get(greeting.from)?.prove(greeting) === true,
    });
  }

  send(to: bigint, message: Uint8Array): void {
    const link = this.#links.get(to);
    if (link === undefined || !link.send(message)) this.#handler.unreachable(to);
  }

  setPeer(id: bigint, peerUrls: readonly string[]): void {
    this.#links.get(id)?.close();
    this.#links.set(id, new PeerLink({ id, urls: peerUrls }, this.#handler, this.#now));
  }

  removePeer(id: bigint): void {
    this.#links.get(id)?.close();
    this.#links.delete(id);
    // The peer may not have heard that it was removed. It is told when it dials again.
    this.#sources.get(id)?.close();
    this.#sources.delete(id);
  }

  activeSince(id: bigint): number | undefined {
    return this.#links.get(id)?.activeSince;
  }

  fetchCluster(peerUrls: readonly string[], done: (result: ClusterInfo | Error) => void): void {
    fetchClusterInfo(peerUrls, done);
  }

  accept(socket: net.Socket): void {
    this.#admission.accept(socket);
  }

  close(): void {
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
    for (const source of this.#sources.values()) source.close();
    this.#sources.clear();
    this.#admission.close();
    this.#onClose();
  }

  #proven(socket: net.Socket, id: bigint): void {
    this.#sources.get(id)?.close();
    const source = new PeerSource(socket, id, this.#handler);
    this.#sources.set(id, source);
    socket.on("close", () => {
      if (this.#sources.get(id) === source) this.#sources.delete(id);
    });
    this.#links.get(id)?.hurry();
  }
}
