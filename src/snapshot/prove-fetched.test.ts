/** A fetched state is proven and opened while the member goes on: no turn reads many rows. */
import { expect, test } from "vitest";
import { BusyClock } from "../integrity/scrub/scrub.fixture.js";
import type { Backend } from "../platform/backend.js";
import type { Machine } from "../state/apply.js";
import { applyCommand, foundMachine, putOf, sha256 } from "../state/machine.fixture.js";
import { createMemoryBackendStore } from "../verify/sim/platform/memory-backend.js";
import { proveFetched } from "./prove-fetched.js";

const rowMs = 0.005;

test("no turn of the proof or of the index takes longer than 5 ms", () => {
  const clock = new BusyClock();
  const backend = createMemoryBackendStore({ defer: (fn) => fn() }).open("fetched");
  const machine = foundMachine(backend);
  for (let at = 0; at < 5_000; at++) {
    applyCommand(machine, { $case: "put", value: putOf(`key ${at}`, "value") });
  }
  const slow = new Proxy(backend, {
    get(target, name) {
      if (name !== "scan") return Reflect.get(target, name).bind?.(target);
      const scan: Backend["scan"] = (bucket, range, visit) =>
        target.scan(bucket, range, (key, value) => {
          clock.work(rowMs);
          return visit(key, value);
        });
      return scan;
    },
  });
  const results: (Machine | Error)[] = [];
  const { root } = machine.digests();
  let longest = 0;
  proveFetched({ backend: slow, root }, { clock, sha256, isStopped: () => false }, (result) => {
    results.push(result);
  });
  for (;;) {
    const beforeMs = clock.busyMs;
    if (!clock.step()) break;
    longest = Math.max(longest, clock.busyMs - beforeMs);
  }
  expect(longest).toBeLessThanOrEqual(5);
  expect(clock.busyMs).toBeGreaterThan(10_000 * rowMs);
  expect(results).toHaveLength(1);
  const [opened] = results as [Machine];
  expect(opened.digests()).toEqual(machine.digests());
  expect(opened.kv.keyCount()).toBe(5_000);
});
