import { expect, test } from "vitest";
import type { Rng } from "../platform/rng.js";
import { MemoryLog } from "./fixtures/memory-log.fixture.js";
import { createRaftNode } from "./node.js";
import { type ConfState, EntryType, type RaftConfig } from "./types.js";

const rng: Rng = { int: () => 0, fork: () => rng };
const noLimit = Number.MAX_SAFE_INTEGER;
const config: RaftConfig = {
  id: 1n,
  electionTicks: 10,
  heartbeatTicks: 1,
  preVote: true,
  checkQuorum: true,
  messageBytesMax: noLimit,
  inflightMessagesMax: 512,
  inflightBytesMax: noLimit,
  uncommittedBytesMax: noLimit,
  applyBytesMax: noLimit,
  appliedIndex: 1,
};
const alone: ConfState = {
  voters: [1n],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

test("a single voter elects itself and commits proposals with its own disk", () => {
  const log = new MemoryLog({ index: 1, term: 1, confState: alone });
  const node = createRaftNode(config, log, rng);
  const applied: string[] = [];
  const turn = (): void => {
    for (let ready = node.takeReady(); ready !== undefined; ready = node.takeReady()) {
      expect(ready.send).toEqual([]);
      if (ready.append !== undefined) {
        log.append(ready.append.entries);
        for (const message of ready.append.sendAfter) node.step({ kind: "received", message });
        const last = ready.append.entries.at(-1);
        if (last !== undefined) {
          node.step({ kind: "persisted", index: last.index, term: last.term });
        }
      }
      for (const entry of ready.apply) applied.push(Buffer.from(entry.data).toString());
      const last = ready.apply.at(-1);
      if (last !== undefined) node.step({ kind: "applied", index: last.index });
    }
  };
  for (let tick = 0; tick < 10; tick++) node.step({ kind: "tick" });
  turn();
  expect(node.isLeader()).toBe(true);
  const entries = ["a", "b", "c"].map((text) => ({
    type: EntryType.normal,
    data: Buffer.from(text),
  }));
  node.step({ kind: "proposed", entries });
  turn();
  expect(applied).toEqual(["", "a", "b", "c"]);
  expect(node.committedIndex()).toBe(5);
});
