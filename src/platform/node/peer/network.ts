/**
 * The Network port on TCP. One outgoing connection to each peer carries this member's messages; the
 * peer's incoming connection carries the peer's. Best effort: a message that does not fit the
 * peer's queue is dropped and reported as unreachable, and raft repeats. Bytes that are not this
 * protocol close only their connection. No message is accepted before its sender has proven its
 * identity (admission.ts).
 */
import type net from "node:net";
import { doublingBounds, Histogram } from "../../../base/histogram.js";
import type { ClusterInfo, Network, NetworkHandler, PeerTraffic } from "../../network.js";
import { fetchClusterInfo } from "../cluster-query.js";
import { type Listener, type ListenOptions, openListener } from "../listener.js";
import { share } from "../same-addresses.js";
import type { KeptCredentials } from "../tls/kept-credentials.js";
import { PeerAdmission } from "./admission.js";
import { PeerDialer } from "./dialer.js";
import { PeerLink } from "./link.js";
import { type CallbackFailed, ownedSocket } from "./owned.js";
import { PeerSource, type SourceHandler } from "./source.js";

export interface NodeNetworkOptions {
  readonly listen: ListenOptions["addresses"];
  /** This member's TLS credentials towards its peers. https addresses need them. */
  readonly credentials: KeptCredentials | undefined;
  readonly now: () => number;
  readonly log: ListenOptions["log"];
}

/** Resolves when all addresses listen; rejects with the system's error (EADDRINUSE, ...). */
export async function listenForPeers(options: NodeNetworkOptions): Promise<PeerListener> {
  const { listen, credentials, now, log } = options;
  let peers: PeerListener | undefined;
  const listener = await openListener({
    ...{ addresses: listen, credentials, now, log },
    // For the pages on the peer address; members ask for no protocol.
    alpn: ["http/1.1"],
    allowsHalfOpen: false,
    endpoint: "peer",
    reusesPort: false,
    refused: (refusal, remote) => peers?.refused(refusal.text, remote),
  });
  peers = new PeerListener(listener, options);
  return peers;
}

/** Bound sockets that wait for their member. They refuse connections before `connect`. */
export class PeerListener {
  readonly #listener: Listener;
  readonly #options: NodeNetworkOptions;
  #handler: NetworkHandler | undefined;

  constructor(listener: Listener, options: NodeNetworkOptions) {
    this.#listener = listener;
    this.#options = options;
  }

  addresses(): Listener["addresses"] {
    return this.#listener.addresses;
  }

  connect(handler: NetworkHandler): Network {
    this.#handler = handler;
    const network = new TcpNetwork(handler, this.#options, () => this.close());
    this.#listener.accept((socket) => network.accept(socket));
    return network;
  }

  /** TLS refused a connection before a byte of it was read. */
  refused(error: string, remote: string): void {
    const fields = { "remote-addr": remote, error };
    this.#handler?.rejected({ reason: "tls_refused", from: 0n, fields });
  }

  close(): void {
    this.#listener.close();
  }
}

interface Counters {
  sentBytes: number;
  receivedBytes: number;
  sendFailures: number;
  readonly roundTrips: Histogram;
}

/** Seconds, as etcd has them. */
const roundTripBounds = doublingBounds(0.0001, 16);

class TcpNetwork implements Network {
  readonly #handler: NetworkHandler;
  readonly #now: () => number;
  readonly #onClose: () => void;
  readonly #links = new Map<bigint, PeerLink>();
  /** The newest incoming connection of each member. */
  readonly #sources = new Map<bigint, PeerSource>();
  readonly #traffic = new Map<bigint, Counters>();
  readonly #admission: PeerAdmission;
  readonly #dialer: PeerDialer;
  readonly #failed: CallbackFailed;

  constructor(handler: NetworkHandler, options: NodeNetworkOptions, onClose: () => void) {
    this.#handler = handler;
    this.#now = options.now;
    this.#onClose = onClose;
    const { credentials, now, log } = options;
    const tell = (message: string, fields: object): void => log("warn", message, { ...fields });
    this.#failed = (error) =>
      log("error", "a callback of the peer port failed", { error: error.stack ?? error.message });
    const failed = this.#failed;
    this.#dialer = new PeerDialer({ credentials, now, log: tell, failed });
    this.#admission = new PeerAdmission({
      ...{ handler, failed },
      dialer: this.#dialer,
      proven: (socket, id) => this.#proven(socket, id),
      challenged: (greeting) => this.#links.get(greeting.from)?.prove(greeting) === true,
    });
  }

  send(to: bigint, message: Uint8Array): void {
    const link = this.#links.get(to);
    const counters = this.#countersOf(to);
    if (link?.send(message) === true) counters.sentBytes += message.length;
    else {
      counters.sendFailures++;
      this.#handler.unreachable(to);
    }
  }

  traffic(): readonly PeerTraffic[] {
    return [...this.#traffic].map(([id, counters]) => ({ id, ...counters }));
  }

  setPeer(id: bigint, peerUrls: readonly string[]): void {
    this.#links.get(id)?.close();
    this.#links.set(
      id,
      new PeerLink({ id, urls: peerUrls }, this.#handler, {
        ...{ dialer: this.#dialer, now: this.#now, failed: this.#failed },
        roundTrips: this.#countersOf(id).roundTrips,
      }),
    );
  }

  removePeer(id: bigint): void {
    this.#links.get(id)?.close();
    this.#links.delete(id);
    // The peer may not have heard that it was removed. When it dials again, this member tells it.
    this.#sources.get(id)?.close();
    this.#sources.delete(id);
  }

  activeSince(id: bigint): number | undefined {
    return this.#links.get(id)?.activeSince;
  }

  fetchCluster(peerUrls: readonly string[], done: (result: ClusterInfo | Error) => void): void {
    fetchClusterInfo(this.#dialer, peerUrls, done);
  }

  sharesAddress(
    some: readonly string[],
    others: readonly string[],
    done: (shares: boolean) => void,
  ): void {
    // The comparison by text comes first: it needs no look-up, and it is enough for most members.
    if (some.some((url) => others.includes(url))) done(true);
    else share(some, others).then(done, () => done(false));
  }

  accept(socket: net.Socket): void {
    this.#admission.accept(ownedSocket(socket, this.#failed));
  }

  close(): void {
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
    for (const source of this.#sources.values()) source.close();
    this.#sources.clear();
    this.#admission.close();
    this.#onClose();
  }

  #countersOf(id: bigint): Counters {
    const known = this.#traffic.get(id);
    if (known !== undefined) return known;
    const roundTrips = new Histogram(roundTripBounds);
    const counters = { sentBytes: 0, receivedBytes: 0, sendFailures: 0, roundTrips };
    this.#traffic.set(id, counters);
    return counters;
  }

  #proven(socket: net.Socket, id: bigint): void {
    this.#sources.get(id)?.close();
    const counters = this.#countersOf(id);
    const handler: SourceHandler = {
      messageBytesMax: (kind) => this.#handler.messageBytesMax(kind),
      rejected: (rejection) => this.#handler.rejected(rejection),
      received: (from, message) => {
        counters.receivedBytes += message.length;
        this.#handler.received(from, message);
      },
    };
    const source = new PeerSource(socket, id, handler, this.#failed);
    this.#sources.set(id, source);
    socket.on("close", () => {
      if (this.#sources.get(id) === source) this.#sources.delete(id);
    });
    this.#links.get(id)?.hurry();
  }
}
