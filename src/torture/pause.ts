import type { Clock } from "../platform/clock.js";

/** Resolves after `ms` milliseconds of the clock. */
export function pauseFor(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, () => resolve());
  });
}
