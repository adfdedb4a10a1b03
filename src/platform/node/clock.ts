/** The operating system's clock. `setImmediate` ends a turn: all sockets that were ready are read. */
import type { Clock } from "../clock.js";

export const nodeClock: Clock = {
  now: () => performance.now(),
  unixMs: () => Date.now(),
  after(delayMs, fn) {
    const timer = setTimeout(fn, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
  defer: (fn) => {
    setImmediate(fn);
  },
};
