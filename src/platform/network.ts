/**
 * Messages between members: best effort, each whole and at most once or not at all, in no promised
 * order. The real one keeps a TCP connection to each peer and drops when a
 * peer's queue is full; the simulator delays, loses, duplicates and reorders.
 */
export interface Network {
  /** Never blocks, never throws; a message that cannot leave is dropped. Keeps the bytes. */
  send(to: bigint, message: Uint8Array): void;
  /** Adds a peer or changes its addresses. */
  setPeer(id: bigint, peerUrls: readonly string[]): void;
  removePeer(id: bigint): void;
  /** Since when (Clock.now) messages come from this peer without a break; undefined if not now. */
  activeSince(id: bigint): number | undefined;
  /** Asks members by address, before ids are known; the first valid answer wins. */
  fetchCluster(peerUrls: readonly string[], done: (result: ClusterInfo | Error) => void): void;
  close(): void;
}

/** What the owner of a Network gives it: who we are, and where arrivals go. */
export interface NetworkHandler {
  /**
   * Sent in the hello of each connection; a peer of another cluster or for another id is refused. 0n:
   * not known yet, ask again.
   */
  readonly clusterId: () => bigint;
  readonly memberId: () => bigint;
  /** Where this member is reached, as known here; undefined: nobody that we know. */
  peerUrls(id: bigint): readonly string[] | undefined;
  /**
   * Asks the members that we know where this one is reached: we may lag behind its addition or its
   * move. `done` is called once; undefined: nobody who answered knows it.
   */
  locate(id: bigint, done: (peerUrls: readonly string[] | undefined) => void): void;
  /** The member proved itself at an address that `locate` had given. */
  located(id: bigint, peerUrls: readonly string[]): void;
  /** The most bytes that a message may have which begins with this byte. */
  messageBytesMax(kind: number): number;
  /** Of our log, in the hello too. */
  readonly incarnation: () => bigint;
  /**
   * A peer greets with the incarnation of its log. False: it is known with another one, and its
   * connection is refused with that reason. Nothing of a peer is delivered before this said true.
   */
  greeted(from: bigint, incarnation: bigint): boolean;
  /** The peer knows our id with another incarnation than ours. */
  refusedIncarnation(): void;
  /** `from` has proven itself. */
  received(from: bigint, message: Uint8Array): void;
  /** A connection to the peer broke or a message to it was dropped; at most once per burst. */
  unreachable(to: bigint): void;
  /** Something on the peer port was refused: to be counted, and told at a bounded rate. */
  rejected(rejection: Rejection): void;
  /** Whether what we send reaches this peer; told at each change. */
  linkChanged(id: bigint, isUp: boolean): void;
  /** Answer to `fetchCluster` of others; undefined while not known. */
  clusterInfo(): ClusterInfo | undefined;
  /** The peer told us that we were removed from the cluster. */
  removedFromCluster(): void;
  /** A request by HTTP on the peer address; `done` is called once. */
  page(request: PageRequest, done: (answer: PageAnswer) => void): void;
  /** True for the id of a member that was removed: its connections are refused with that reason. */
  isRemoved(id: bigint): boolean;
}

export type RejectionReason =
  /** Connections: not ours, or whose sender is not who it says. */
  | "not_peer_protocol"
  | "other_cluster"
  | "other_member"
  | "removed_member"
  | "lost_data"
  | "unknown_member"
  | "unproven_member"
  | "too_many_connections"
  /** Connections of members that sent what no member sends. */
  | "frame_too_large"
  | "frame_stalled"
  | "frame_damaged"
  /** Messages. */
  | "unreadable"
  | "not_a_member"
  | "malformed"
  | "term_out_of_range"
  | "index_beyond_log";

export interface Rejection {
  readonly reason: RejectionReason;
  /** Who it says it is; 0n: nobody. */
  readonly from: bigint;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface ClusterInfo {
  readonly clusterId: bigint;
  /** "3.6.0"; empty if it is not decided or the answer does not say. */
  readonly clusterVersion: string;
  readonly members: readonly {
    readonly id: bigint;
    readonly name: string;
    readonly peerUrls: readonly string[];
    readonly clientUrls: readonly string[];
    readonly isLearner: boolean;
    /** Of its log, as far as the answering member knows; 0n: it does not. */
    readonly incarnation: bigint;
  }[];
}

export interface PageRequest {
  readonly method: string;
  /** Without a query. */
  readonly path: string;
  /** The header X-Etcd-Cluster-ID. */
  readonly clusterId: string | undefined;
  readonly body: string;
}

export interface PageAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}
