/** Randomness of the operating system. */
import { randomInt } from "node:crypto";
import type { Rng } from "../rng.js";

export const nodeRng: Rng = {
  int: (below) => randomInt(below),
  // Every draw is independent already.
  fork: () => nodeRng,
};
