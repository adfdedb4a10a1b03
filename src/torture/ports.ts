/** What a torture run needs of the outside world: processes that can be harmed, and calls to them. */

/** The processes of one cluster. Names are those of its members. */
export interface Stage {
  readonly members: readonly string[];
  /** Resolves when it serves. @throws if it does not */
  start(member: string): Promise<void>;
  /** SIGKILL; resolves when the process is gone. */
  kill(member: string): Promise<void>;
  /** SIGSTOP and SIGCONT. */
  pause(member: string): void;
  resume(member: string): void;
  /** Calls back when a process ended that nobody had asked to end; `how`: signal or exit code. */
  onUnexpectedEnd(told: (member: string, how: string) => void): void;
  /** One client's connection to one member. */
  connect(member: string): Connection;
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
    /** False: takes no more messages, so that the member cannot send on. */
    setReading(isReading: boolean): void;
    cancel(): void;
  };
  close(): void;
}
