import { expect, test } from "vitest";
import { nodeClock } from "./clock.js";
import { nodeRng } from "./rng.js";

test("a timer never fires early, not even by a fraction of a millisecond", async () => {
  const delays = Array.from({ length: 40 }, (_, at) => at * 0.37);
  const early = await Promise.all(
    delays.map(
      (delayMs) =>
        new Promise<boolean>((resolve) => {
          const startMs = nodeClock.now();
          nodeClock.after(delayMs, () => resolve(nodeClock.now() - startMs < delayMs));
        }),
    ),
  );
  expect(early).not.toContain(true);
});

test("a cancelled timer never fires, and one of months does not fire at once", async () => {
  const fired: string[] = [];
  const cancelled = nodeClock.after(1, () => fired.push("cancelled"));
  const months = nodeClock.after(2 ** 40, () => fired.push("months"));
  cancelled.cancel();
  cancelled.cancel();
  await new Promise<void>((resolve) => {
    nodeClock.after(5, resolve);
  });
  months.cancel();
  expect(fired).toEqual([]);
});

test("deferred work runs after the turn, in order", async () => {
  const order: number[] = [];
  await new Promise<void>((resolve) => {
    nodeClock.defer(() => order.push(1));
    nodeClock.defer(() => {
      order.push(2);
      resolve();
    });
    order.push(0);
  });
  expect(order).toEqual([0, 1, 2]);
});

test("the system's randomness covers its range and nothing else", () => {
  const drawn = new Set(Array.from({ length: 500 }, () => nodeRng.fork("any").int(3)));
  expect([...drawn].sort()).toEqual([0, 1, 2]);
  expect(nodeRng.int(1)).toBe(0);
  expect(nodeRng.int(2 ** 32)).toBeLessThan(2 ** 32);
});
