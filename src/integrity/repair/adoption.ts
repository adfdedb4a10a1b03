/**
 * The last step of healing. The fetched state is older than the stand-in. It replays this member's
 * log in slices until it has caught up, and then replaces the stand-in in one step. Until then raft
 * uses the stand-in, and a crash leads back into quarantine.
 */
import type { Clock } from "../../platform/clock.js";
import type { SnapshotMeta } from "../../raft/types.js";
import type { ApplyWay, OpenEntry } from "../../state/apply.js";
import type { MachineReader } from "../../state/types.js";
import type { Committer } from "../../storage/committer.js";
import type { FetchedState } from "../../storage/fetched-state.js";
import type { StateStore } from "../../storage/state-store.js";
import type { MemoryLogStorage } from "../../wal/memory-log-storage.js";

const entriesPerPiece = 500;
const pieceBytesMax = 1024 * 1024;
/** No client waits for the answers or events of these entries. */
const way: ApplyWay = { units: 1_000, isAnswerWanted: () => false, eventsMax: 0 };

export interface AdoptionParts {
  readonly clock: Clock;
  readonly log: MemoryLogStorage;
  readonly state: Pick<StateStore, "machine" | "replace">;
  readonly committer: Pick<Committer, "applied" | "replaced">;
  /** True: the member stops, so give up. */
  isStopped(): boolean;
  /** The disk failed: the member stops. */
  failed(error: Error): void;
  /** The fetched state is at another index than expected. */
  record(machine: MachineReader): void;
}

/** Calls `done` once. After an error the fetched backend is closed and nothing has changed. */
export function adoptState(
  parts: AdoptionParts,
  fetched: FetchedState,
  done: (error: Error | undefined) => void,
): void {
  const { clock, log, state, committer } = parts;
  const { machine } = fetched;
  const fetchedAt: SnapshotMeta = {
    index: machine.appliedIndex,
    term: machine.appliedTerm,
    confState: machine.confState,
  };
  const fail = (error: Error): void => fetched.backend.close(() => done(error));
  /** The entry that is being applied in slices. */
  let open: OpenEntry | undefined;
  const isPaused = (): boolean => {
    if (open !== undefined && open.step(way.units) !== undefined) {
      open = undefined;
      parts.record(machine);
    }
    return open !== undefined;
  };
  const piece = (): void => {
    if (parts.isStopped()) {
      fail(new Error("the member stops"));
      return;
    }
    try {
      if (isPaused()) {
        clock.defer(piece);
        return;
      }
      const target = state.machine().appliedIndex;
      const from = machine.appliedIndex + 1;
      const to = Math.min(target, from + entriesPerPiece - 1);
      const entries = from > target ? [] : log.entries(from, to + 1, pieceBytesMax);
      if (entries === undefined || (entries.length === 0 && from <= target)) {
        fail(new Error("our log does not lead on from the fetched state"));
        return;
      }
      for (const entry of entries) {
        const begun = machine.begin(entry, way);
        if ("step" in begun) {
          open = begun;
          break;
        }
        parts.record(machine);
      }
    } catch (error) {
      fail(error as Error);
      return;
    }
    if (machine.appliedIndex < state.machine().appliedIndex) {
      clock.defer(piece);
      return;
    }
    try {
      state.replace(fetched);
    } catch (error) {
      // The next start opens what the disk holds now.
      parts.failed(error as Error);
      return;
    }
    committer.replaced(fetchedAt);
    committer.applied(Math.max(1, machine.appliedIndex - fetchedAt.index));
    done(undefined);
  };
  if (log.term(fetchedAt.index) === fetchedAt.term) {
    parts.record(machine);
    piece();
  } else fail(new Error("the fetched state belongs to another log than ours"));
}
