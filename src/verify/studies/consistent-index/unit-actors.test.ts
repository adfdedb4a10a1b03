/**
 * In the model of our own design each entry is exactly one write that contains the index. This test
 * shows on the production machine that this is true for each kind of entry of the model.
 */
import { expect, test } from "vitest";
import { Bucket } from "../../../platform/rows.js";
import { EntryType } from "../../../raft/types.js";
import {
  applyCommand,
  type Command,
  compareOf,
  firstMember,
  foundMachine,
  JournalBackend,
  putOf,
  reopen,
  txnOf,
} from "../../../state/machine.fixture.js";
import { metaKey } from "../../../state/meta.js";
import { ConfChangeRequest, ConfChangeRequest_Type } from "../../../wire/gen/internal.js";
import { AlarmRequest_AlarmAction, AlarmType } from "../../../wire/gen/rpc.js";

const commands: Readonly<Record<string, Command>> = {
  put: { $case: "put", value: putOf("a", "1") },
  "a transaction that changes nothing": {
    $case: "txn",
    value: txnOf({ compare: [compareOf("absent", {})] }),
  },
  "a put that is refused": { $case: "put", value: putOf("a", "1", { lease: 404n }) },
  "a compaction that is refused": {
    $case: "compaction",
    value: { revision: 1_000n, physical: false },
  },
  compaction: { $case: "compaction", value: { revision: 2n, physical: false } },
  "a lease": { $case: "lease_grant", value: { ID: 3n, TTL: 60n } },
  "a checkpoint of two leases": {
    $case: "lease_checkpoint",
    value: {
      checkpoints: [
        { ID: 1n, remaining_TTL: 5n },
        { ID: 2n, remaining_TTL: 6n },
      ],
    },
  },
  "an alarm": {
    $case: "alarm",
    value: {
      action: AlarmRequest_AlarmAction.ACTIVATE,
      memberID: firstMember,
      alarm: AlarmType.NOSPACE,
    },
  },
};

function prepared(): { backend: JournalBackend; machine: ReturnType<typeof foundMachine> } {
  const backend = new JournalBackend();
  const machine = foundMachine(backend);
  for (const id of [1n, 2n]) {
    applyCommand(machine, { $case: "lease_grant", value: { ID: id, TTL: 60n } });
  }
  for (const key of ["x", "x", "y"]) {
    applyCommand(machine, { $case: "put", value: putOf(key, "0") });
  }
  return { backend, machine };
}

test.each(Object.entries(commands))("one write with the index: %s", (_, command) => {
  const { backend, machine } = prepared();
  const before = backend.writes.length;
  applyCommand(machine, command);
  expectOneWrite(backend, before, machine.appliedIndex);
});

test("one write with the index: a configuration change", () => {
  const { backend, machine } = prepared();
  const before = backend.writes.length;
  const data = ConfChangeRequest.encode({
    header: { ID: 7n, proposer: firstMember, username: "", auth_revision: 0n },
    type: ConfChangeRequest_Type.ADD_LEARNER,
    node_id: 0x22n,
    member: { ID: 0x22n, name: "", peerURLs: ["http://b"], clientURLs: [], isLearner: true },
    promote: false,
  }).finish();
  const index = machine.appliedIndex + 1;
  machine.apply({ index, term: 2, type: EntryType.confChange, data });
  expectOneWrite(backend, before, index);
});

function expectOneWrite(backend: JournalBackend, before: number, index: number): void {
  const writes = backend.writes.slice(before);
  expect(writes.length).toBe(1);
  const metaRows = writes[0]?.filter(({ bucket }) => bucket === Bucket.meta) ?? [];
  expect(metaRows.map(({ key }) => Buffer.from(key).toString())).toEqual([
    Buffer.from(metaKey).toString(),
  ]);
  // The images before and after this write stand at neighbouring indexes.
  expect(reopen(backend.image(before)).appliedIndex).toBe(index - 1);
  expect(reopen(backend.image(before + 1)).appliedIndex).toBe(index);
}
