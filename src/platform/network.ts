import type { Histogram } from "../base/histogram.js";

/**
 * Messages between members: best effort, in no promised order. Each arrives whole, at most once or
 * not at all. The real network keeps a TCP connection to each peer and drops messages when a peer's
 * queue is full. The simulator delays, loses, duplicates and reorders.
 */
export interface Network {
  /**
   * Sends a message. Never blocks, never throws; drops a message that cannot leave. Keeps the
   * bytes.
   */
  send(to: bigint, message: Uint8Array): void;
  /** Adds a peer or changes its addresses. */
  setPeer(id: bigint, peerUrls: readonly string[]): void;
  removePeer(id: bigint): void;
  /** Since when (Clock.now) this peer's messages come without a break. Undefined: none come. */
  activeSince(id: bigint): number | undefined;
  /** What went to and from each peer since this process began, removed ones included. */
  traffic(): readonly PeerTraffic[];
  /** Asks members by address, before their ids are known. The first valid answer wins. */
  fetchCluster(peerUrls: readonly string[], done: (result: ClusterInfo | Error) => void): void;
  /**
   * Tells whether some URL of one list and some URL of the other lead to the same place. Looks up
   * host names. Calls `done` once, possibly inside the call.
   */
  sharesAddress(
    some: readonly string[],
    others: readonly string[],
    done: (shares: boolean) => void,
  ): void;
  close(): void;
}

export interface PeerTraffic {
  readonly id: bigint;
  /** Bytes of the messages that went to the peer. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** How many messages could not leave. */
  readonly sendFailures: number;
  /** Seconds between a question to the peer and its answer. The network asks twice a second. */
  readonly roundTrips: Histogram;
}

/** What the owner of a Network gives it: this member's identity, and the receivers of messages. */
export interface NetworkHandler {
  /**
   * Sent in the hello of each connection. A peer of another cluster or for another id is refused.
   * 0n: this member does not know its id yet; the network asks again.
   */
  readonly clusterId: () => bigint;
  readonly memberId: () => bigint;
  /** Peer URLs of this member as known here. Undefined: this member does not know it. */
  peerUrls(id: bigint): readonly string[] | undefined;
  /**
   * Asks known members for the peer URLs of `id`, because this member may not have applied its
   * addition or move yet. Calls `done` once. Undefined: no member that answered knows it.
   */
  locate(id: bigint, done: (peerUrls: readonly string[] | undefined) => void): void;
  /** Called when the member proved itself at an address that `locate` had given. */
  located(id: bigint, peerUrls: readonly string[]): void;
  /** The most bytes of a message that begins with this byte. */
  messageBytesMax(kind: number): number;
  /** The incarnation of this member's log, also sent in the hello. */
  readonly incarnation: () => bigint;
  /**
   * Takes the incarnation in a peer's hello. Returns false if the peer is known with another one;
   * its connection is then refused with that reason. The network delivers nothing from a peer
   * before this has returned true.
   */
  greeted(from: bigint, incarnation: bigint): boolean;
  /** Called when the peer knows this member's id with another incarnation. */
  refusedIncarnation(): void;
  /** Takes a message. `from` has proven itself. */
  received(from: bigint, message: Uint8Array): void;
  /**
   * Called when a connection to the peer broke or a message to it was dropped; at most once per
   * burst.
   */
  unreachable(to: bigint): void;
  /**
   * Called when something on the peer port was refused. The receiver counts it, and logs it at a
   * bounded rate.
   */
  rejected(rejection: Rejection): void;
  /** Called at each change of whether this member's messages reach the peer. */
  linkChanged(id: bigint, isUp: boolean): void;
  /** The answer to another member's `fetchCluster`. Undefined: the cluster is not known yet. */
  clusterInfo(): ClusterInfo | undefined;
  /** Called when the peer says that this member was removed from the cluster. */
  removedFromCluster(): void;
  /** Answers an HTTP request on the peer address. Calls `done` once. */
  page(request: PageRequest, done: (answer: PageAnswer) => void): void;
  /** True for the id of a member that was removed: its connections are refused with that reason. */
  isRemoved(id: bigint): boolean;
}

export type RejectionReason =
  /** Refused connections of strangers, or whose sender is not the member that it claims to be. */
  | "tls_refused"
  | "not_peer_protocol"
  | "other_cluster"
  | "other_member"
  | "removed_member"
  | "lost_data"
  | "unknown_member"
  | "unproven_member"
  | "too_many_connections"
  /** Refused connections of members that sent bytes that no member sends. */
  | "frame_too_large"
  | "frame_stalled"
  | "frame_damaged"
  /** Refused messages of members. */
  | "unreadable"
  | "not_a_member"
  | "malformed"
  | "term_out_of_range"
  | "index_beyond_log";

export interface Rejection {
  readonly reason: RejectionReason;
  /** The id that the sender claims; 0n: none. */
  readonly from: bigint;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface ClusterInfo {
  readonly clusterId: bigint;
  /**
   * The cluster version, like "3.6.0". Empty if the cluster has not decided it or the answer does
   * not contain it.
   */
  readonly clusterVersion: string;
  readonly members: readonly {
    readonly id: bigint;
    readonly name: string;
    readonly peerUrls: readonly string[];
    readonly clientUrls: readonly string[];
    readonly isLearner: boolean;
    /** The incarnation of the member's log. 0n: the answering member does not know it. */
    readonly incarnation: bigint;
  }[];
}

export interface PageRequest {
  readonly method: string;
  /** The path of the URL, without a query. */
  readonly path: string;
  /** The value of the header X-Etcd-Cluster-ID. */
  readonly clusterId: string | undefined;
  readonly body: string;
}

export interface PageAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}
