/**
 * The Network port on TCP: one outgoing connection to each peer carries what we send, its incoming
 * one what we receive. Best effort: what does not fit a peer's queue is dropped and reported as
 * unreachable; raft repeats. Bytes that are not our protocol close that connection and nothing else.
 */
import net from "node:net";
import type { ClusterInfo, Network, NetworkHandler } from "../network.js";
import { fetchClusterInfo, serveClusterInfo } from "./cluster-query.js";
import {
  decodeHello,
  encodeHello,
  FrameReader,
  frameHeader,
  type Hello,
  HelloStatus,
  helloBytes,
  helloMagic,
  queryMagic,
} from "./peer-framing.js";
import { isHttp, PeerHttp } from "./peer-http.js";

/** A peer that cannot take this much is treated as unreachable. */
const queueBytesMax = 64 * 1024 * 1024;
const redialMs = 100;
const helloTimeoutMs = 5_000;
const refusals: Readonly<Record<HelloStatus, string>> = {
  [HelloStatus.ok]: "",
  [HelloStatus.wrongCluster]: "cluster ID mismatch",
  [HelloStatus.wrongMember]: "member ID mismatch",
  [HelloStatus.removed]: "member was removed",
  [HelloStatus.wrongIncarnation]: "member lost its data",
};

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

/** Bound sockets waiting for their member: connections before `connect` are refused. */
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
  readonly #options: NodeNetworkOptions;
  readonly #onClose: () => void;
  readonly #peers = new Map<bigint, PeerLink>();
  /** By the member that greeted on it; undefined: none yet. */
  readonly #incoming = new Map<net.Socket, bigint | undefined>();
  readonly #http: PeerHttp;

  constructor(handler: NetworkHandler, options: NodeNetworkOptions, onClose: () => void) {
    this.#handler = handler;
    this.#options = options;
    this.#onClose = onClose;
    this.#http = new PeerHttp(handler);
  }

  send(to: bigint, message: Uint8Array): void {
    const peer = this.#peers.get(to);
    if (peer === undefined || !peer.send(message)) this.#handler.unreachable(to);
  }

  setPeer(id: bigint, peerUrls: readonly string[]): void {
    this.#peers.get(id)?.close();
    this.#peers.set(id, new PeerLink({ id, urls: peerUrls }, this.#handler, this.#options));
  }

  removePeer(id: bigint): void {
    this.#peers.get(id)?.close();
    this.#peers.delete(id);
    // It may not have heard that it was removed: when it dials anew it is told.
    for (const [socket, from] of this.#incoming) if (from === id) socket.destroy();
  }

  activeSince(id: bigint): number | undefined {
    return this.#peers.get(id)?.activeSince;
  }

  fetchCluster(peerUrls: readonly string[], done: (result: ClusterInfo | Error) => void): void {
    fetchClusterInfo(peerUrls, done);
  }

  close(): void {
    for (const peer of this.#peers.values()) peer.close();
    this.#peers.clear();
    for (const socket of this.#incoming.keys()) socket.destroy();
    this.#onClose();
  }

  /** One incoming connection: hello or query first, then frames. */
  accept(socket: net.Socket): void {
    this.#incoming.set(socket, undefined);
    socket.on("close", () => this.#incoming.delete(socket));
    socket.on("error", () => socket.destroy());
    socket.setTimeout(helloTimeoutMs, () => socket.destroy());
    let head: Buffer = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      head = Buffer.concat([head, chunk]);
      const start = head.toString("latin1", 0, helloMagic.length);
      const isPage = isHttp(start);
      if (isPage === true) {
        socket.off("data", onData);
        this.#http.accept(socket, head);
      } else if (start === queryMagic) {
        socket.off("data", onData);
        serveClusterInfo(socket, this.#handler.clusterInfo());
      } else if (isPage === false && !helloMagic.startsWith(start)) {
        this.#options.log("rejected connection on peer endpoint", {
          "remote-addr": `${socket.remoteAddress}:${socket.remotePort}`,
          error: "not the peer protocol",
        });
        socket.destroy();
      } else if (head.length >= helloBytes) {
        socket.off("data", onData);
        this.#greet(socket, head);
      }
    };
    socket.on("data", onData);
  }

  #greet(socket: net.Socket, head: Buffer): void {
    const hello = decodeHello(head);
    const status = this.#judge(hello);
    if (status !== HelloStatus.ok) {
      this.#options.log("rejected connection on peer endpoint", {
        "remote-peer-id": hello.from.toString(16),
        "remote-cluster-id": hello.clusterId.toString(16),
        "local-cluster-id": this.#handler.clusterId().toString(16),
        error: refusals[status],
      });
      socket.end(Buffer.of(status));
      return;
    }
    this.#incoming.set(socket, hello.from);
    socket.setTimeout(0);
    socket.setKeepAlive(true, 10_000);
    socket.write(Buffer.of(HelloStatus.ok));
    const reader = new FrameReader();
    const onFrames = (chunk: Buffer): void => {
      const sound = reader.push(chunk, (message) => this.#handler.received(hello.from, message));
      if (sound) return;
      this.#options.log("closed a damaged peer connection", {
        "remote-peer-id": hello.from.toString(16),
      });
      socket.destroy();
    };
    socket.on("data", onFrames);
    if (head.length > helloBytes) onFrames(head.subarray(helloBytes));
  }

  #judge(hello: Hello): HelloStatus {
    if (hello.clusterId !== this.#handler.clusterId()) return HelloStatus.wrongCluster;
    if (hello.to !== this.#handler.memberId()) return HelloStatus.wrongMember;
    if (this.#handler.isRemoved(hello.from)) return HelloStatus.removed;
    const isKnown = this.#handler.greeted(hello.from, hello.incarnation);
    if (!isKnown) return HelloStatus.wrongIncarnation;
    return HelloStatus.ok;
  }
}

/** The outgoing connection to one peer; redials for ever, through its addresses in turn. */
class PeerLink {
  activeSince: number | undefined;
  readonly #target: { readonly id: bigint; readonly urls: readonly string[] };
  readonly #handler: NetworkHandler;
  readonly #options: NodeNetworkOptions;
  #socket: net.Socket | undefined;
  #redial: NodeJS.Timeout | undefined;
  #dials = 0;
  #closed = false;
  #corked = false;

  constructor(
    target: { readonly id: bigint; readonly urls: readonly string[] },
    handler: NetworkHandler,
    options: NodeNetworkOptions,
  ) {
    this.#target = target;
    this.#handler = handler;
    this.#options = options;
    this.#dial();
  }

  send(message: Uint8Array): boolean {
    const socket = this.#socket;
    if (socket === undefined || this.activeSince === undefined) return false;
    if (socket.writableLength > queueBytesMax) return false;
    // All messages of one turn leave in one write.
    if (!this.#corked) {
      this.#corked = true;
      socket.cork();
      process.nextTick(() => {
        this.#corked = false;
        socket.uncork();
      });
    }
    socket.write(frameHeader(message));
    socket.write(message);
    return true;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#redial);
    this.#socket?.destroy();
  }

  #dial(): void {
    const text = this.#target.urls[this.#dials++ % this.#target.urls.length];
    if (text === undefined) return;
    const url = new URL(text);
    const socket = net.connect({
      host: url.hostname.replace(/^\[|\]$/g, ""),
      port: Number(url.port || 80),
      noDelay: true,
    });
    this.#socket = socket;
    socket.setTimeout(helloTimeoutMs, () => socket.destroy());
    socket.on("connect", () => {
      socket.write(
        encodeHello({
          clusterId: this.#handler.clusterId(),
          from: this.#handler.memberId(),
          to: this.#target.id,
          incarnation: this.#handler.incarnation(),
        }),
      );
    });
    socket.once("data", (answer: Buffer) => this.#greeted(socket, answer[0] as HelloStatus));
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#lost());
  }

  #greeted(socket: net.Socket, status: HelloStatus): void {
    if (status === HelloStatus.ok) {
      socket.setTimeout(0);
      socket.setKeepAlive(true, 10_000);
      this.activeSince = this.#options.now();
      return;
    }
    socket.destroy();
    if (status === HelloStatus.removed) this.#handler.removedFromCluster();
    if (status === HelloStatus.wrongIncarnation) this.#handler.refusedIncarnation();
  }

  #lost(): void {
    const wasActive = this.activeSince !== undefined;
    this.activeSince = undefined;
    this.#socket = undefined;
    if (this.#closed) return;
    if (wasActive) this.#handler.unreachable(this.#target.id);
    this.#redial = setTimeout(() => this.#dial(), redialMs);
  }
}
