/** The operating system's clock. `setImmediate` ends a turn: all sockets that were ready are read. */
import type { EventClock } from "../clock.js";

/** Longer delays overflow Node's timers, which then fire at once. */
const delayMsMax = 2 ** 31 - 1;

export const nodeClock: EventClock = {
  now: () => performance.now(),
  unixMs: () => Date.now(),
  after(delayMs, fn) {
    const dueMs = performance.now() + delayMs;
    let timer: NodeJS.Timeout;
    const arm = (leftMs: number): void => {
      // Node's timers count whole milliseconds and may fire early by a fraction of one.
      timer = setTimeout(
        () => {
          const restMs = dueMs - performance.now();
          if (restMs > 0) arm(restMs);
          else fn();
        },
        Math.min(Math.ceil(leftMs), delayMsMax),
      );
    };
    arm(delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
  defer: (fn) => {
    setImmediate(fn);
  },
  soon: (fn) => process.nextTick(fn),
};
