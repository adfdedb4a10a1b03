/** What a torture run needs of the outside world: processes that can be harmed, and calls to them. */

/** The processes of one cluster. Names are those of its members. */
export interface Stage {
  readonly members: readonly string[];
  /** Undefined: nothing stands between the members, so their connections cannot be harmed. */
  readonly network: LinkFaults | undefined;
  /** Undefined: the members' files cannot be harmed. */
  readonly disks: Disks | undefined;
  /** Undefined: the members' clocks cannot be moved. */
  readonly clocks: Clocks | undefined;
  /** Resolves when it serves. @throws if it does not */
  start(member: string): Promise<void>;
  /** SIGKILL; resolves when the process is gone. */
  kill(member: string): Promise<void>;
  /** SIGTERM; resolves when the process is gone. After 10 s it is killed. */
  stop(member: string): Promise<void>;
  /** SIGSTOP and SIGCONT. */
  pause(member: string): void;
  resume(member: string): void;
  /** Calls back when a process ended that nobody had asked to end; `how`: signal or exit code. */
  onUnexpectedEnd(told: (member: string, how: string) => void): void;
  /** One client's connection to one member. */
  connect(member: string): Connection;
  /** What another member has to be told to add this one. */
  peerUrl(member: string): string;
  /** The next start joins a cluster that exists. */
  willJoin(member: string): void;
}

/** How bytes flow from one place to another. Absent: as they come. */
export interface FlowShape {
  /** Nothing passes until that changes, as when every packet is lost; then it does. */
  readonly isHeld?: boolean;
  readonly delayMs?: number;
  /** So many of 1000 pieces wait `stallMs` longer, as a lost packet does that is sent again. */
  readonly stallPerMille?: number;
  readonly stallMs?: number;
  readonly bytesPerSecond?: number;
}

/** Stands in the place of a member's name: all clients. */
export const clientsPlace = "clients";

/** The connections between members, and between clients and members. */
export interface LinkFaults {
  /** Bytes that `from` sends to `to`. Undefined: as they come. */
  shape(from: string, to: string, shape: FlowShape | undefined): void;
  /** True: ends the connections between the two, and further ones as soon as they are made. */
  cut(one: string, other: string, isCut: boolean): void;
}

/** The files of members that do not run. */
export interface Disks {
  /** The target promises to survive damage to the files of one member. */
  readonly isHealing: boolean;
  /** Part of a record behind the last one of the log, as a power cut leaves it. What was done. */
  tearTail(member: string): string;
  /** Flips a bit in the middle of what the backend holds. */
  flipBit(member: string): string;
  /** Cuts the backend's file to half its length. */
  truncate(member: string): string;
  /** Keeps a copy of all files; `rollBack` puts it in their place. */
  keep(member: string): void;
  rollBack(member: string): void;
  /** Removes all files. */
  wipe(member: string): void;
}

export interface Clocks {
  /** From now on the member's wall clock is so much ahead (or, negative, behind). */
  step(member: string, offsetMs: number): void;
}

export type CallResult =
  | { readonly kind: "ok"; readonly bytes: Uint8Array }
  /** `isUnsent`: the request never left, so it has no effect. */
  | {
      readonly kind: "failed";
      readonly code: number;
      readonly text: string;
      readonly isUnsent: boolean;
    };

export interface Connection {
  /** One unary call; never rejects. Path as in gRPC: "/etcdserverpb.KV/Range". */
  call(path: string, request: Uint8Array, timeoutMs: number): Promise<CallResult>;
  /** A stream in both directions. `ended` is called once, when no message follows. */
  stream(
    path: string,
    events: { message(bytes: Uint8Array): void; ended(): void },
  ): {
    write(message: Uint8Array): void;
    /** Says that no further message comes. */
    finish(): void;
    /** False: takes no more messages, so that the member cannot send on. */
    setReading(isReading: boolean): void;
    cancel(): void;
  };
  close(): void;
}
