import { KvError } from "../base/errors.js";
import { EntryType } from "../raft/types.js";
import { ConfChangeRequest, ConfChangeRequest_Type as Type } from "../wire/gen/internal.js";
import type { Machine } from "./apply.js";
import {
  type Command,
  firstMember,
  foundMachine,
  JournalBackend,
  putOf,
} from "./machine.fixture.js";
import type { Applied } from "./types.js";

export const put = (key: string, value = "v", more = {}): Command => ({
  $case: "put",
  value: putOf(key, value, more),
});
export const grant = (ID: bigint): Command => ({ $case: "lease_grant", value: { ID, TTL: 60n } });
export const alarm = (action: number, kind: number): Command => ({
  $case: "alarm",
  value: { action, memberID: firstMember, alarm: kind },
});
export const second = 0x22n;

export function setUp(): { backend: JournalBackend; machine: Machine } {
  const backend = new JournalBackend();
  return { backend, machine: foundMachine(backend) };
}

export function reasonOf({ outcome }: Applied): string | undefined {
  return outcome instanceof KvError ? outcome.reason : undefined;
}

export function confChange(machine: Machine, change: Partial<ConfChangeRequest>): Applied {
  const data = ConfChangeRequest.encode({
    header: { ID: 9n, proposer: firstMember, username: "", auth_revision: 0n },
    type: Type.ADD_VOTER,
    node_id: second,
    member: undefined,
    promote: false,
    ...change,
  }).finish();
  const index = machine.appliedIndex + 1;
  return machine.apply({ index, term: 2, type: EntryType.confChange, data });
}

export const joiner = {
  ID: second,
  name: "",
  peerURLs: ["http://b"],
  clientURLs: [],
  isLearner: true,
};
