/** Mutants of the space quota and its alarm (N1, N2): members that do not give one answer. */
import type { Mutant } from "../types.js";

export const spaceMutants: readonly Mutant[] = [
  {
    id: "N1",
    title: "a member refuses for space by its own state, however old that is",
    origin:
      "Lockstep: after an acknowledged disarm through one member a put through another failed",
    conditions: "the alarm ends while a member lags, and a client asks that member to write",
    caughtBy: ["N"],
    patches: [
      {
        in: "Gate.#unlessFull",
        begin: `
          if (RAN()) {
            refuse(new KvError("noSpace"));
            return;
          }`,
      },
    ],
  },
  {
    id: "N2",
    title: "only the member that a client asks looks at the alarm, apply does not",
    origin: "class: a check by the proposer that the state does not repeat",
    conditions: "a put and the alarm are in the log at the same time",
    caughtBy: ["N"],
    patches: [
      {
        in: "ReplicatedMachine.#isOutOfSpace",
        find: 'this.#alarms.has("NOSPACE")',
        replace: 'this.#alarms.has("NOSPACE") && !RAN()',
      },
    ],
  },
];
