import fc from "fast-check";
import { expect, test } from "vitest";
import { TimeWindow } from "./time-window.js";

test("zooming keeps the time under the pointer where it is", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (fraction) => {
      const time = new TimeWindow(0, 1_000_000);
      const before = time.us(fraction * 800, 800);
      time.zoom(0.25, fraction);
      expect(time.us(fraction * 800, 800)).toBeCloseTo(before, 3);
      expect(time.spanUs).toBeCloseTo(1_040_000 / 4, 3);
    }),
  );
});

test("never leaves the history, whatever is done", () => {
  const step = fc.oneof(
    fc.record({
      zoom: fc.double({ min: 0.01, max: 100, noNaN: true }),
      at: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
    fc.record({ pan: fc.double({ min: -5, max: 5, noNaN: true }) }),
    fc.record({
      center: fc.integer({ min: -2e6, max: 3e6 }),
      span: fc.integer({ min: 1, max: 1e7 }),
    }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const time = new TimeWindow(0, 1_000_000);
      for (const one of steps) {
        if ("zoom" in one) time.zoom(one.zoom, one.at);
        else if ("pan" in one) time.pan(one.pan);
        else time.center(one.center, one.span);
        expect(time.fromUs).toBeGreaterThanOrEqual(-20_000.001);
        expect(time.toUs).toBeLessThanOrEqual(1_020_000.001);
        expect(time.spanUs).toBeGreaterThan(0);
      }
    }),
  );
});

test("a history of one moment has a time line, too", () => {
  const time = new TimeWindow(5, 5);
  expect(time.spanUs).toBe(20);
  expect(time.x(5, 100)).toBe(50);
});

test("ticks are round and few", () => {
  const time = new TimeWindow(0, 1_000_000);
  expect(time.ticks(10).map(({ text }) => text)).toEqual([
    "0.0 s",
    "0.2 s",
    "0.4 s",
    "0.6 s",
    "0.8 s",
    "1.0 s",
  ]);
  time.center(500_000, 100);
  expect(time.ticks(4).map(({ text }) => text)).toEqual(["499.95 ms", "500.00 ms", "500.05 ms"]);
});
