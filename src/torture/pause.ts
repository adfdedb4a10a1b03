import type { Clock } from "../platform/clock.js";

/** Resolves after so many milliseconds. */
export function pauseFor(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, () => resolve());
  });
}
