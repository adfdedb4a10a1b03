/**
 * What a torture run needs of the outside world: processes that it can harm, and connections to
 * them.
 */

/** The processes of one cluster. Names are those of its members. */
export interface Stage {
  readonly members: readonly string[];
  /** Undefined: nothing stands between the members, so their connections cannot be harmed. */
  readonly network: LinkFaults | undefined;
  /** Undefined: the members' files cannot be harmed. */
  readonly disks: Disks | undefined;
  /** Undefined: the members' clocks cannot be moved. */
  readonly clocks: Clocks | undefined;
  /** Undefined: what running members write cannot be made slow or fail. */
  readonly diskTroubles: DiskTroubles | undefined;
  /**
   * Starts the process of a member. Resolves when it serves, or refuses because its state is wrong.
   * @throws StartRefused if its process ends by itself with exit code 1, which tells why in its log;
   * Error if it does none of that
   */
  start(member: string): Promise<void>;
  /**
   * Starts a member as if nothing had happened to its files, which are gone. Resolves when that
   * process is gone. True: it ended by itself. False: it had not within 20 s.
   */
  endsWithoutFiles(member: string): Promise<boolean>;
  /** Sends SIGKILL. Resolves when the process is gone. */
  kill(member: string): Promise<void>;
  /** Sends SIGTERM. Resolves when the process is gone. After 10 s it is killed. */
  stop(member: string): Promise<void>;
  /** Sends SIGSTOP; `resume` sends SIGCONT. */
  pause(member: string): void;
  resume(member: string): void;
  /** Calls `told` when a process ends that the run did not end. `how`: its signal or exit code. */
  onUnexpectedEnd(told: (member: string, how: string) => void): void;
  /** Connects one client to one member. */
  connect(member: string): Connection;
  /** The peer URL that another member needs to add this one. */
  peerUrl(member: string): string;
  /** Tells the stage that the member's next start joins a cluster that exists. */
  willJoin(member: string): void;
}

/** A member did not start, and its process told why. The message has the end of its log. */
export class StartRefused extends Error {}

/** How bytes flow from one place to another. An absent field changes nothing. */
export interface FlowShape {
  /** True: nothing passes while this holds, as when every packet is lost. Afterwards it passes. */
  readonly isHeld?: boolean;
  readonly delayMs?: number;
  /** Of 1000 pieces this many wait `stallMs` longer, as a lost packet does that is sent again. */
  readonly stallPerMille?: number;
  readonly stallMs?: number;
  readonly bytesPerSecond?: number;
}

/** Stands for all clients in the place of a member's name. */
export const clientsPlace = "clients";

/** The connections between members, and between clients and members. */
export interface LinkFaults {
  /** Shapes the bytes that `from` sends to `to`. Undefined: they pass unchanged. */
  shape(from: string, to: string, shape: FlowShape | undefined): void;
  /**
   * With `isCut` ends the connections between the two, and further ones as soon as they are made.
   */
  cut(one: string, other: string, isCut: boolean): void;
}

/** The files of members that do not run. */
export interface Disks {
  /** True if the target promises to survive damage to the files of one member. */
  readonly isHealing: boolean;
  /**
   * Appends a part of a record to the end of the log, as a power cut leaves it. Returns what it
   * did.
   */
  tearTail(member: string): string;
  /** Flips a bit in the middle of the rows that the backend holds. Returns what it did. */
  flipBit(member: string): string;
  /** Cuts the backend's file to half its length. Returns what it did. */
  truncate(member: string): string;
  /** Keeps a copy of all files of a member; `rollBack` puts it in their place. */
  keep(member: string): void;
  rollBack(member: string): void;
  /**
   * Leaves what a disk that never synced leaves when the power fails: of the part that is lost, what
   * it held at `keep`. Returns what it did.
   */
  loseWrites(member: string, lost: LostWrites): string;
  /** Removes all files of a member. */
  wipe(member: string): void;
}

/**
 * Which writes a disk loses: those of log and backend, or of one of the two; "blocks": of each block
 * of the log chance decides.
 */
export type LostWrites = "all" | "log" | "backend" | "blocks";

/** "full": writes fail with ENOSPC. "failing": writes and syncs fail with EIO. */
export type DiskTrouble = "slow" | "full" | "failing";

/** What happens to a running member that writes to its disk. */
export interface DiskTroubles {
  /** Why this trouble is not possible here. Undefined: it is. */
  whyNot(trouble: DiskTrouble): string | undefined;
  /**
   * From now on until the next call; undefined: all is as ever. A member whose writes fail may end
   * by itself: the stage does not report that end.
   */
  set(member: string, trouble: DiskTrouble | undefined): void;
}

export interface Clocks {
  /** Sets the member's wall clock this many milliseconds ahead, or behind if negative. */
  step(member: string, offsetMs: number): void;
}

/** How a call ended. `code`: gRPC's. `bytes`: the answer's protobuf body. */
export type CallResult =
  | { readonly kind: "ok"; readonly bytes: Uint8Array }
  /** An error. `isUnsent`: the request never left, so it has no effect. */
  | {
      readonly kind: "failed";
      readonly code: number;
      readonly text: string;
      readonly isUnsent: boolean;
    };

export interface Connection {
  /** Makes one unary call; never rejects. The path is that of gRPC: "/etcdserverpb.KV/Range". */
  call(path: string, request: Uint8Array, timeoutMs: number): Promise<CallResult>;
  /**
   * Opens a stream in both directions. `ended` is called once, when no message follows, with the
   * text of the error if there was one.
   */
  stream(
    path: string,
    events: { message(bytes: Uint8Array): void; ended(error?: string): void },
  ): {
    write(message: Uint8Array): void;
    /** Tells the member that no further message comes. */
    finish(): void;
    /** With false the client takes no more messages, so that the member cannot send on. */
    setReading(isReading: boolean): void;
    cancel(): void;
  };
  close(): void;
}
