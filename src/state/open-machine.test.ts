/** A state that is opened with pauses is the one that was closed, and no step reads many rows. */
import { expect, test } from "vitest";
import type { Backend } from "../platform/backend.js";
import { createMemoryBackendStore } from "../verify/sim/platform/memory-backend.js";
import { applyCommand, foundMachine, putOf, sha256 } from "./machine.fixture.js";
import { openMachine } from "./machine.js";
import { Work } from "./work.js";

const keys = 1_500;
const stepUnits = 50;

/** Counts the rows that scans visit. */
function counted(backend: Backend): { readonly backend: Backend; rows: number } {
  const counter = { rows: 0, backend };
  counter.backend = new Proxy(backend, {
    get(target, name) {
      if (name !== "scan") return Reflect.get(target, name).bind?.(target);
      const scan: Backend["scan"] = (bucket, range, visit) =>
        target.scan(bucket, range, (key, value) => {
          counter.rows++;
          return visit(key, value);
        });
      return scan;
    },
  });
  return counter;
}

/** Keys that were overwritten, deleted, made again, moved between leases, and compacted. */
function writtenState() {
  const backend = createMemoryBackendStore({ defer: (fn) => fn() }).open("state");
  const machine = foundMachine(backend);
  for (const ID of [5n, 6n, 7n]) {
    applyCommand(machine, { $case: "lease_grant", value: { ID, TTL: 60n } });
  }
  const put = (at: number, lease: bigint): void => {
    const value = { ...putOf(`key ${(at * 7) % keys}`, `value ${at}`), lease };
    applyCommand(machine, { $case: "put", value });
  };
  for (let at = 0; at < keys; at++) put(at, at % 3 === 0 ? 5n : 0n);
  for (let at = 0; at < 300; at++) put(at, at % 2 === 0 ? 6n : 0n);
  const key = Buffer.from("key 1");
  const range_end = Buffer.from("key 3");
  applyCommand(machine, { $case: "delete_range", value: { key, range_end, prev_kv: false } });
  for (let at = 0; at < 100; at++) put(at, 0n);
  applyCommand(machine, {
    $case: "compaction",
    value: { revision: BigInt(keys + 400), physical: false },
  });
  applyCommand(machine, { $case: "lease_revoke", value: { ID: 6n } });
  return { backend, machine };
}

test("opened with pauses, a state is the one that was closed", () => {
  const { backend, machine } = writtenState();
  const counter = counted(backend);
  const work = new Work(stepUnits);
  const steps = openMachine(counter.backend, sha256, work);
  let [pauses, most] = [0, 0];
  let opened = machine;
  for (;;) {
    const before = counter.rows;
    work.refill(stepUnits);
    const step = steps.next();
    // A scan looks at the first row of the next bucket or at a few small tables besides.
    most = Math.max(most, counter.rows - before);
    if (step.done === true) {
      opened = step.value;
      break;
    }
    pauses++;
  }
  expect(most).toBeLessThanOrEqual(stepUnits + 10);
  expect(pauses).toBeGreaterThan((keys * 0.8) / stepUnits);
  expect(opened.digests()).toEqual(machine.digests());
  expect(opened.audit().step(100_000)).toBeUndefined();
  const all = {
    ...{ key: Buffer.alloc(1), range_end: Buffer.alloc(1), limit: 0n, revision: 0n },
    ...{ sort_order: 0, sort_target: 0, serializable: true, keys_only: false, count_only: false },
    ...{ min_mod_revision: 0n, max_mod_revision: 0n },
    ...{ min_create_revision: 0n, max_create_revision: 0n },
  };
  expect(opened.kv.range(all)).toEqual(machine.kv.range(all));
  const shown = (of: typeof machine) =>
    [5n, 6n, 7n].map((id) => of.leases.keys(id).map((key) => Buffer.from(key).toString()));
  expect(shown(opened)).toEqual(shown(machine));
  expect(shown(opened)[0]?.length).toBeGreaterThan(100);
});
