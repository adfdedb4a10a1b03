/** The deletion of a role that very many users have: in slices, seen whole or not at all. */
import { expect, test } from "vitest";
import { type Entry, EntryType } from "../../raft/types.js";
import type { Machine } from "../apply.js";
import {
  applyCommand,
  type Command,
  encodeCommand,
  foundMachine,
  JournalBackend,
  reopen,
} from "../machine.fixture.js";
import type { Applied } from "../types.js";

const count = 700;
const options = { no_password: true };

/** Users in no order; two of three have the role "many", all have "few". */
function populated(): { machine: Machine; backend: JournalBackend } {
  const backend = new JournalBackend();
  const machine = foundMachine(backend);
  const apply = (command: Command): void => void applyCommand(machine, command);
  for (const name of ["few", "many"]) apply({ $case: "auth_role_add", value: { name } });
  for (let at = 0; at < count; at++) {
    const name = `u${(at * 7_919) % count}`;
    const value = { name, password: "", hashedPassword: "", options };
    apply({ $case: "auth_user_add", value });
    for (const role of at % 3 === 0 ? ["few"] : ["few", "many"]) {
      apply({ $case: "auth_user_grant_role", value: { user: name, role } });
    }
  }
  return { machine, backend };
}

function seen(machine: Machine): unknown {
  const { auth } = machine;
  return [auth.users(), auth.roles(), auth.revision, machine.digests()];
}

function entryFor(machine: Machine): Entry {
  const data = encodeCommand({ $case: "auth_role_delete", value: { role: "many" } });
  return { index: machine.appliedIndex + 1, term: 2, type: EntryType.normal, data };
}

test("a role with many users goes in slices of bounded work, and equals its deletion at once", () => {
  const whole = populated().machine;
  const { machine, backend } = populated();
  const expected = whole.apply(entryFor(whole));
  const before = seen(machine);
  let slices = 1;
  const way = { units: 20, eventsMax: 10, isAnswerWanted: () => true };
  let next = machine.begin(entryFor(machine), way);
  while ("step" in next) {
    // Reading all users is dear: a sample of the pauses is enough.
    if (slices++ % 10 === 0) expect(seen(machine)).toEqual(before);
    next = next.step(way.units) ?? next;
  }
  expect(next satisfies Applied).toEqual(expected);
  // A slice writes at most `units` rows.
  expect(slices).toBeGreaterThan((count * 2) / 3 / way.units);
  expect(seen(machine)).toEqual(seen(whole));
  expect(machine.auth.users().flatMap(({ roles }) => roles)).toEqual(Array(count).fill("few"));
  expect(seen(reopen(backend))).toEqual(seen(whole));
});

test("one that is given up in the middle changes nothing", () => {
  const { machine, backend } = populated();
  const before = seen(machine);
  const begun = machine.begin(entryFor(machine), {
    ...{ units: 200, eventsMax: 10 },
    isAnswerWanted: () => true,
  });
  expect("step" in begun && begun.step(200)).toBeUndefined();
  const again = reopen(backend);
  expect(seen(again)).toEqual(before);
  again.apply(entryFor(again));
  expect(again.auth.role("many")).toBeUndefined();
});
