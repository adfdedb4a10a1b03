/**
 * The right to change the replicated state. All other parts read it as a MachineReader (types.ts).
 * Only those who open a state (boot, stand-in, a fetched state) and those who apply entries to it
 * (the applier, the replay of a start, the catching up of a fetched state) import this file;
 * test/house.test.ts has the list.
 */
import type { Backend } from "../platform/backend.js";
import type { Entry } from "../raft/types.js";
import type { AuthReader } from "./auth/types.js";
import type { WriteRecord } from "./movable-backend.js";
import type { Applied, MachineReader, MemberRecord } from "./types.js";

/** How to apply an entry. None of it changes the effect on the state. */
export interface ApplyWay {
  /** Units of work (work.ts) before the first pause. */
  readonly units: number;
  /** Returns false if nobody waits for the answer here: its rows are then not gathered. */
  isAnswerWanted(request: Pick<Applied, "proposer" | "requestId">): boolean;
  /** An entry with more changes gives only the span of their keys, not each event. */
  readonly eventsMax: number;
}

/** All at once. */
export const wholeEntry: ApplyWay = {
  units: Number.POSITIVE_INFINITY,
  isAnswerWanted: () => true,
  eventsMax: Number.MAX_SAFE_INTEGER,
};

/** An entry that is being applied. Nobody can read its effect before its last step. */
export interface OpenEntry {
  readonly index: number;
  /** Continues for that much work; after the last step returns the result. Throws as `apply`. */
  step(units: number): Applied | undefined;
}

/** The replicated state with the right to change it. */
export interface Machine extends MachineReader {
  /** Applies the entry after `appliedIndex`. Only an InvariantViolation or DamageError is thrown. */
  apply(entry: Entry): Applied;
  /**
   * Applies an entry in slices. Does the first slice. If that was not all, returns the entry to
   * continue with. Until its last step everything here shows the state before it. Nothing else may
   * be applied meanwhile.
   *
   * If the entry is not taken to its end, `apply` cannot be used any more; reads and the backend
   * still show the state before.
   * @throws as `apply`
   */
  begin(entry: Entry, way: ApplyWay): Applied | OpenEntry;
  /** Records the rows of all later entries, for a copy of the backend that is being made. */
  recordWrites(): WriteRecord;
  /** Continues on this backend, which must have the same rows as the current one. */
  moveTo(backend: Backend): void;
  /**
   * Makes a new member's first state, before any entry: index and term of the bootstrap snapshot,
   * the configuration and the members. Only on an empty backend.
   */
  bootstrap(state: {
    readonly clusterId: bigint;
    readonly members: readonly MemberRecord[];
    readonly index: number;
    readonly term: number;
    /** Ids of removed members, which may never come back. None when a cluster is founded. */
    readonly removed?: ReadonlySet<bigint>;
    /** The cluster version. Empty when a cluster is founded. */
    readonly clusterVersion?: string;
    /** Users, roles and rights. None when a cluster is founded. */
    readonly auth?: AuthReader;
  }): void;
}

/** Begins to apply an entry. The simulator injects its own, which may watch or change what is applied. */
export type BeginApply = (machine: Machine, entry: Entry, way: ApplyWay) => Applied | OpenEntry;

export const beginApply: BeginApply = (machine, entry, way) => machine.begin(entry, way);
