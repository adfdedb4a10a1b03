/**
 * What clients of an etcd v3 store asked and saw, in a form that checkers, the simulator, the fault
 * harness and the history view share. Written as JSON, one record a line (history-file.ts).
 *
 * Times are integer microseconds on one clock. Keys and values are latin-1 strings (one character
 * per byte, so that any bytes survive). Revisions are safe integers. Lease ids are decimal strings.
 */

/** [key, end) as in etcd: `end` undefined: the single key; "\0": from key on. */
export interface HistoryRange {
  readonly key: string;
  readonly end?: string;
}

/** The field by which a range sorts its keys. */
export type SortField = "key" | "version" | "create" | "mod" | "value";

/** An operation that is no transaction. It may stand alone or in a branch of a transaction. */
export type PlainOp =
  | ({
      readonly kind: "range";
      /** 0 or absent: the current revision. */
      readonly revision?: number;
      readonly limit?: number;
      readonly keysOnly?: boolean;
      readonly countOnly?: boolean;
      /**
       * The order before the limit applies. Absent: by key, ascending. Equal elements are in the
       * order of keys; etcd promises no order there.
       */
      readonly sortBy?: SortField;
      readonly descending?: boolean;
    } & HistoryRange)
  | { readonly kind: "put"; readonly key: string; readonly value: string; readonly lease?: string }
  | ({ readonly kind: "delete" } & HistoryRange);

export interface Compare {
  readonly key: string;
  readonly target: "version" | "create" | "mod" | "value" | "lease";
  readonly result: "=" | "!=" | "<" | ">";
  /** A number for version, create and mod; text for value and lease. */
  readonly value: number | string;
}

/**
 * Compares decide which branch runs. Those of a transaction in a transaction see the store as it
 * was before the outer one.
 */
export interface TxnOp {
  readonly kind: "txn";
  readonly compares: readonly Compare[];
  readonly success: readonly Op[];
  readonly failure: readonly Op[];
}

/** An operation of a transaction. */
export type Op = PlainOp | TxnOp;

/** What a client asked. */
export type Request =
  | (PlainOp & { /** Ranges only: answered from local state. */ readonly serializable?: boolean })
  | TxnOp
  /** id "0": the server chooses; its answer names it. */
  | { readonly kind: "leaseGrant"; readonly id: string; readonly ttl: number }
  | { readonly kind: "leaseRevoke"; readonly id: string }
  | { readonly kind: "leaseKeepAlive"; readonly id: string }
  | { readonly kind: "compact"; readonly revision: number }
  /**
   * A request that does not change the key space: membership, defragmentation, leader transfer, ...
   */
  | { readonly kind: "other"; readonly name: string };

/**
 * A key as etcd answers it. Absent `lease`: the key has none. A history that another program
 * recorded may lack `create`, `version` and `lease` (not-recorded.ts).
 */
export interface KeyValue {
  readonly key: string;
  readonly value: string;
  readonly create: number;
  readonly mod: number;
  readonly version: number;
  readonly lease?: string;
}

/** The answer to one operation. `count`: keys of the range, before a limit. */
export type PlainAnswer =
  | { readonly kind: "range"; readonly kvs: readonly KeyValue[]; readonly count: number }
  | { readonly kind: "put" }
  | { readonly kind: "delete"; readonly deleted: number };

/** The answers of the branch that ran, in order. */
export interface TxnAnswer {
  readonly kind: "txn";
  readonly succeeded: boolean;
  readonly answers: readonly OpAnswer[];
}

/** The answer to an operation of a transaction. */
export type OpAnswer = PlainAnswer | TxnAnswer;

/** The answer to a request. "none": the answer has only a header. */
export type OperationAnswer =
  | OpAnswer
  /** `ttl` in seconds; 0 for a keep-alive: there is no such lease. */
  | { readonly kind: "lease"; readonly id: string; readonly ttl: number }
  | { readonly kind: "none" };

/** How a request ended, as its client knows it. */
export type OperationOutcome =
  /** `revision` is that of the answer's header. */
  | { readonly kind: "ok"; readonly revision: number; readonly answer: OperationAnswer }
  /** The server refused the request: it has no effect, now or later. */
  | { readonly kind: "refused"; readonly error: string }
  /** The request may take effect at any time after the call, or never. */
  | { readonly kind: "unknown"; readonly error: string };

export interface Operation {
  /** Unique in the history. */
  readonly id: number;
  /** One client's operations do not overlap, unless their outcome is unknown. */
  readonly client: number;
  /** The member that was asked. */
  readonly member: string;
  readonly callUs: number;
  /** Undefined only if the outcome is unknown and no client saw the end. */
  readonly returnUs: number | undefined;
  readonly request: Request;
  readonly outcome: OperationOutcome;
}

export interface WatchEvent {
  readonly type: "put" | "delete";
  readonly key: string;
  readonly value: string;
  readonly create: number;
  readonly mod: number;
  readonly version: number;
  readonly lease?: string;
  readonly prev?: KeyValue;
}

export interface WatchResponse {
  readonly atUs: number;
  readonly revision: number;
  readonly events: readonly WatchEvent[];
  /** True in the first answer of a watch. */
  readonly created?: boolean;
  /** The end of this watch; `compactRevision` says that the history below it is gone. */
  readonly canceled?: boolean;
  readonly compactRevision?: number;
  /** True if more events of the same revisions follow. */
  readonly fragment?: boolean;
}

/** One watch on one connection; a client that resumes makes another record. */
export interface Watch {
  readonly id: number;
  readonly client: number;
  readonly member: string;
  readonly callUs: number;
  readonly range: HistoryRange;
  /** The revision where the watch begins. 0: after the current one. */
  readonly revision: number;
  readonly prevKv: boolean;
  readonly progressNotify: boolean;
  readonly filters: readonly ("put" | "delete")[];
  /**
   * In the order of arrival; an answer with a revision and without events is a progress
   * notification.
   */
  readonly responses: readonly WatchResponse[];
}

/** An event of the system that people should see: a crash, a cut, an election. */
export interface Mark {
  readonly atUs: number;
  readonly kind: "fault" | "heal" | "leader" | "violation" | "note";
  readonly member?: string;
  readonly text: string;
}

export interface History {
  readonly operations: readonly Operation[];
  readonly watches: readonly Watch[];
  readonly marks: readonly Mark[];
}
