/**
 * A plan: everything that a simulated run does, as data. A run is a pure function of its plan; the
 * seed in it is the address of details that a plan does not list (delays, torn sectors, election
 * timeouts). Plans stay valid when the generator changes: the shrinker works on them, and
 * regression plans are kept as files. Times are milliseconds of virtual time.
 */
import type { SortField } from "../../history/types.js";
import type { NetworkWeather } from "../platform/memory-network.js";

/** A node by its place in the order of creation, or the leader (or a follower) at that moment. */
export type Target = number | "leader" | "follower";

interface At {
  /** Unique in the plan, for people; older plans have numbers. */
  readonly id: number | string;
  readonly atMs: number;
}

/** A fault as data: when it begins, and all that decides what it does. */
export type Fault = At &
  (
    | {
        /** "power": unsynced writes may be lost; "kill": the page cache survives. */
        readonly kind: "crash";
        readonly target: Target;
        readonly mode: "power" | "kill";
        readonly downMs: number;
      }
    | { readonly kind: "crashAll"; readonly mode: "power" | "kill"; readonly downMs: number }
    | { readonly kind: "stop"; readonly target: Target; readonly downMs: number }
    | { readonly kind: "pause"; readonly target: Target; readonly forMs: number }
    /** Cuts the targets off from the rest, or one direction of it. */
    | {
        readonly kind: "partition";
        readonly side: readonly Target[];
        readonly direction: "both" | "in" | "out";
        readonly forMs: number;
      }
    | {
        readonly kind: "link";
        readonly from: Target;
        readonly to: Target;
        /** Lost messages per thousand; 1000 cuts the link. */
        readonly lossPerMille: number;
        readonly extraMs: number;
        readonly forMs: number;
      }
    | {
        readonly kind: "slowDisk";
        readonly target: Target;
        readonly syncMs: number;
        readonly forMs: number;
      }
    /**
     * The next fsync (or backend commit) fails; the node stops and the operator starts it again.
     */
    | {
        readonly kind: "failSync";
        readonly target: Target;
        readonly what: "wal" | "backend";
        readonly downMs: number;
      }
    | { readonly kind: "fullDisk"; readonly target: Target; readonly forMs: number }
    /**
     * The node's backend reports more bytes than the space quota allows. Afterwards the leader's
     * operator disarms the alarm, or the cluster ends it by itself.
     */
    | {
        readonly kind: "overQuota";
        readonly target: Target;
        readonly forMs: number;
        readonly isDisarmed: boolean;
      }
    /**
     * The power goes off, one bit of the log flips, and the power comes back. `place`: millionths
     * of the log's bytes.
     */
    | {
        readonly kind: "rotLog";
        readonly target: Target;
        readonly place: number;
        readonly bit: number;
        readonly downMs: number;
      }
    /** Power off; one bit of a stored row flips; power on. */
    | {
        readonly kind: "rotRow";
        readonly target: Target;
        readonly row: number;
        readonly bit: number;
        readonly downMs: number;
      }
    /**
     * The power goes off, a row's bytes appear under another row's key, and the power comes back.
     */
    | {
        readonly kind: "misdirect";
        readonly target: Target;
        readonly row: number;
        readonly downMs: number;
      }
    /** Power off; the backend's last durable commit is gone; power on. */
    | { readonly kind: "staleBackend"; readonly target: Target; readonly downMs: number }
    | { readonly kind: "wallClock"; readonly target: Target; readonly byMs: number }
    | { readonly kind: "moveLeader"; readonly to: Target }
    | { readonly kind: "defragment"; readonly target: Target }
    | { readonly kind: "backup"; readonly target: Target }
    /** A hash, a copy of the state or a defragmentation, at any moment: see upkeep.ts. */
    | {
        readonly kind: "upkeep";
        readonly target: Target;
        readonly what: "hashKv" | "hash" | "copy" | "defragment";
        /** Preferably at a member whose state is being replaced. */
        readonly seeksTrouble: boolean;
        /** How many revisions ago the read looks; 0: at the current one. */
        readonly back: number;
        /** How long a copy is held, at most. */
        readonly holdMs: number;
      }
    /** The operator adds a member: a learner first, promoted when it has caught up. */
    | { readonly kind: "addMember"; readonly asLearner: boolean }
    | { readonly kind: "removeMember"; readonly target: Target }
    /** The node's disk is gone: the operator removes it, and adds a new member in its place. */
    | { readonly kind: "replaceMember"; readonly target: Target }
    /** Restarts with the next (or the first) version of the program. */
    | { readonly kind: "version"; readonly target: Target; readonly version: string }
    /** The node applies its next entry that puts something with another value. */
    | { readonly kind: "misapply"; readonly target: Target }
    /** Power off; a row is there twice, under a key of its own, with a valid check value; power on. */
    | {
        readonly kind: "extraRow";
        readonly target: Target;
        readonly row: number;
        readonly downMs: number;
      }
    /** Power off; a row is gone; power on. `bucket`: one of those whose rows are digested. */
    | {
        readonly kind: "lostRow";
        readonly target: Target;
        readonly bucket: number;
        readonly row: number;
        readonly downMs: number;
      }
    /**
     * Killed; a key has another value, with a valid check value and digests that match it; started.
     */
    | {
        readonly kind: "forgedRow";
        readonly target: Target;
        readonly row: number;
        readonly downMs: number;
      }
    /** Power off; the state claims another applied index, within the log; power on. */
    | {
        readonly kind: "wrongIndex";
        readonly target: Target;
        /** Modulo what the log holds. */
        readonly by: number;
        readonly downMs: number;
      }
    /** A message from a sender that is no member, or that no member sends (forgery.ts). */
    | { readonly kind: "stranger"; readonly target: Target; readonly shape: number }
    /**
     * The whole disk is lost, and the operator who starts the node does not know: the node starts
     * again under its old name and addresses, as a member of a new cluster or of the existing one.
     */
    | {
        readonly kind: "wipe";
        readonly target: Target;
        readonly state: "new" | "existing";
        readonly downMs: number;
      }
    /**
     * The disks of all nodes are copied now. After `afterMs` the power fails everywhere. Then all
     * but the leader have the copies and start after `downMs`; the leader starts this much later.
     */
    | {
        readonly kind: "rollBack";
        readonly afterMs: number;
        readonly downMs: number;
        readonly leaderLaterMs: number;
      }
    /**
     * One bit of a stored row flips while the node runs: the member finds it when it reads the row.
     */
    | {
        readonly kind: "rotLive";
        readonly target: Target;
        readonly row: number;
        readonly bit: number;
      }
  );
export type SimFaultKind = Fault["kind"];

/**
 * A client's request; values are unique by the operation's id. Keys are numbers: "k0", "k1", ...
 */
export type ClientAction =
  | { readonly kind: "put"; readonly key: number; readonly lease?: number }
  | { readonly kind: "get"; readonly key: number; readonly serializable: boolean }
  /** Reads all keys; as of `back` revisions ago if above 0. */
  | {
      readonly kind: "list";
      readonly back: number;
      readonly limit: number;
      readonly serializable: boolean;
    }
  /** Reads as "list", in another order than that of keys. */
  | {
      readonly kind: "sorted";
      readonly back: number;
      readonly limit: number;
      readonly serializable: boolean;
      readonly sortBy: SortField;
      readonly descending: boolean;
    }
  | { readonly kind: "delete"; readonly key: number }
  | { readonly kind: "deleteFrom"; readonly key: number; readonly count: number }
  /** Writes if the key is as this client saw it last; else reads it. */
  | { readonly kind: "cas"; readonly key: number }
  /** Puts, deletes and reads of several keys in one transaction, with a comparison. */
  | { readonly kind: "txn"; readonly key: number; readonly shape: number }
  | { readonly kind: "compact"; readonly back: number }
  | { readonly kind: "grant"; readonly lease: number; readonly ttl: number }
  | { readonly kind: "revoke"; readonly lease: number }
  | { readonly kind: "keepAlive"; readonly lease: number }
  /**
   * Opens a watch of a key (or of all, -1), which begins `back` revisions ago (below 0: in the
   * future).
   */
  | {
      readonly kind: "watch";
      readonly key: number;
      readonly back: number;
      readonly prevKv: boolean;
      readonly filter: "none" | "put" | "delete";
      readonly forMs: number;
      /** The client once stops reading for this long. */
      readonly stallMs: number;
    }
  | UserAction;

/** How a client proves who it is. "oldToken": one that it got before its last login. */
export type Proof = "token" | "oldToken" | "certificate" | "nothing";

/** The keys of a request: one key, the key and its neighbours, or all keys from it on. */
export type Span = "one" | "few" | "from";

/** What users do, and what is done to them; only in worlds with users. */
export type UserAction =
  | {
      readonly kind: "userRead";
      readonly user: number;
      readonly key: number;
      readonly span: Span;
      readonly serializable: boolean;
      readonly by: Proof;
    }
  | {
      readonly kind: "userWrite";
      readonly user: number;
      readonly key: number;
      readonly what: "put" | "delete" | "txn";
      readonly by: Proof;
    }
  | {
      readonly kind: "userWatch";
      readonly user: number;
      readonly key: number;
      readonly span: Span;
      readonly forMs: number;
    }
  | { readonly kind: "login"; readonly user: number }
  /** Root changes users, roles or rights. "replace" deletes one and makes it again. */
  | {
      readonly kind: "manage";
      readonly what:
        | "grant"
        | "revoke"
        | "grantRole"
        | "revokeRole"
        | "replaceUser"
        | "replaceRole"
        | "password"
        | "toggle";
      readonly user: number;
      readonly role: number;
      readonly key: number;
      readonly span: Span;
      readonly right: "read" | "write" | "both";
    };

export interface ClientOp {
  readonly id: number;
  readonly atMs: number;
  readonly client: number;
  /** Place of the node that the client asks, modulo the nodes that exist. */
  readonly member: number;
  readonly action: ClientAction;
}

/**
 * Properties that are drawn once for each seed, so that seeds differ in kind and not only in
 * detail.
 */
export interface Swarm {
  readonly members: number;
  readonly clients: number;
  readonly keys: number;
  /** How many leases there are. The number is small, so that several keys hang on one lease. */
  readonly leases: number;
  readonly durationMs: number;
  readonly weather: NetworkWeather;
  readonly syncMinUs: number;
  readonly syncMaxUs: number;
  /** Each node's clock runs up to this many thousandths fast or slow. */
  readonly driftPerMille: number;
  readonly electionMs: number;
  readonly heartbeatMs: number;
  readonly snapshotCount: number;
  readonly snapshotCatchupEntries: number;
  readonly backendBatchMs: number;
  readonly backendBatchLimit: number;
  readonly compactionBatchLimit: number;
  /** Of a large entry: see MemberConfig.apply. */
  readonly applySliceUnits: number;
  readonly applyPauseMs: number;
  readonly applyEventsMax: number;
  readonly walSegmentBytes: number;
  readonly progressNotifyMs: number;
  readonly quotaBytes: number;
  /**
   * Faults that may cost more than a minority: the cluster may stop, but never give a wrong answer.
   */
  readonly isBeyondAtlas: boolean;
  /** Auth is switched on soon after the start, and clients of the other actions are root. */
  readonly hasUsers?: boolean;
  /**
   * Compaction by the leader. The retention is in milliseconds, or a number of revisions. Absent:
   * off.
   */
  readonly autoCompaction?: {
    readonly mode: "periodic" | "revision";
    readonly retention: number;
  };
}

export interface Plan {
  readonly format: 1;
  readonly seed: number;
  readonly swarm: Swarm;
  readonly faults: readonly Fault[];
  readonly ops: readonly ClientOp[];
}
