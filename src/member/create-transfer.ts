/** The transfer of states wired to a member's engine. */
import type { Platform } from "../platform/platform.js";
import type { RaftEvent } from "../raft/types.js";
import { SnapshotTransfer } from "../snapshot/transfer.js";
import type { Engine } from "./engine.js";

export function createTransfer(
  engine: Engine,
  platform: Platform,
  driver: { post(event: RaftEvent): void; isUndecided(): boolean },
): SnapshotTransfer {
  return new SnapshotTransfer(
    {
      clock: platform.clock,
      state: engine.state,
      committer: () => engine.committer,
      oldestUsable: () => engine.log.firstIndex() - 1,
      offer: (message) => driver.post({ kind: "received", message }),
      isUndecided: () => driver.isUndecided(),
      failed: (error) => engine.fail(error),
      failedAt: (id) => driver.post({ kind: "snapshotReported", id, ok: false }),
      log: (level, message, fields) => platform.log(level, message, fields),
    },
    engine.peers,
    {
      backends: platform.backends,
      request: (to, method, body, done) => engine.request(to, method, body, done),
    },
  );
}
