/** A log is read in slices: none does more than the budget and one more piece. */
import { expect, test } from "vitest";
import { recover, recoverInSlices, type SliceBudget } from "./recovery.js";
import {
  contentOf,
  lastSegment,
  options,
  overwrite,
  segmentsOf,
  writtenLog,
} from "./wal.fixture.js";

const sliceUnits = 3;

/** Counts what each slice spends. */
class Meter implements SliceBudget {
  readonly slices: number[] = [0];
  /** The most that was spent at once. */
  largest = 0;

  spend(units: number): boolean {
    const before = this.slices.at(-1) as number;
    this.slices[this.slices.length - 1] = before + units;
    this.largest = Math.max(this.largest, units);
    return before + units >= sliceUnits;
  }
}

function readInSlices(disk: ReturnType<typeof writtenLog>) {
  const meter = new Meter();
  const steps = recoverInSlices(disk, options.dir, meter);
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done === true) return { result: step.value, meter };
    meter.slices.push(0);
  }
}

test("a log of several segments is read in bounded slices, to the same content", () => {
  const disk = writtenLog(200);
  expect(segmentsOf(disk).length).toBeGreaterThan(2);
  const { result, meter } = readInSlices(disk);
  expect(result).toEqual(recover(disk, options.dir));
  expect(result.recovered.entries).toHaveLength(200);
  // A record costs at least one unit.
  expect(meter.slices.length).toBeGreaterThanOrEqual(Math.floor(200 / (sliceUnits + 1)));
  for (const spent of meter.slices) expect(spent).toBeLessThan(sliceUnits + meter.largest);
});

test("so is a long tail of zeros, and a torn record before it", () => {
  const disk = writtenLog(3);
  const path = lastSegment(disk);
  const content = contentOf(disk, path);
  const tail = 1024 * 1024;
  overwrite(disk, path, content.length + tail - 1, Uint8Array.of(0));
  const whole = readInSlices(disk);
  expect(whole.result).toEqual(recover(disk, options.dir));
  // Each KiB is read once, and looked at once.
  const units = whole.meter.slices.reduce((sum, spent) => sum + spent, 0);
  expect(units).toBeGreaterThanOrEqual((2 * tail) / 1024);
  expect(whole.meter.slices.length).toBeGreaterThanOrEqual(8);
  overwrite(disk, path, content.length, Uint8Array.of(1));
  const torn = readInSlices(disk);
  expect(torn.result).toEqual(recover(disk, options.dir));
  expect(torn.result.tail.tornBytes).toBeGreaterThan(0);
});
