/**
 * Bugs that the simulator found in Lockstep first. Each mutant puts one back, so that the check
 * that found it stays needed and the repair cannot be lost.
 */
import type { Mutant } from "./types.js";

const origin = "Lockstep, found by its simulator";

export const foundMutants: readonly Mutant[] = [
  {
    id: "F1",
    title: "a lagging member cannot answer a leader whose addition it has not applied",
    origin,
    conditions: "a member is added and elected while another is cut off",
    caughtBy: ["liveness"],
    plan: "f1-leader-unknown-to-a-lagging-member.json",
    patches: [
      {
        in: "PeerLinks.located",
        find: 'this.#located.set(id, { urls: urls.join(","), insteadOf: this.#recorded(id) });',
        replace: `
          if (!RAN())
            this.#located.set(id, { urls: urls.join(","), insteadOf: this.#recorded(id) });`,
      },
    ],
  },
  {
    id: "F2",
    title: "two defragmentations at a time",
    origin,
    conditions: "a second request while the first one flushes",
    caughtBy: ["crash", "S2", "S3", "G1"],
    patches: [
      {
        in: "Defragmenter.run",
        find: "if (this.#waiting.length === 1) this.#begin();",
        replace: "if (this.#waiting.length === 1 || RAN()) this.#begin();",
      },
    ],
  },
  {
    id: "F5",
    title: "a start removes a backend that it is still closing",
    origin,
    conditions: "a crash between the log's marker of a snapshot and the change of backends",
    caughtBy: ["crash"],
    patches: [{ in: "restart", find: "!kept.includes(other)", replace: "other !== name && RAN()" }],
  },
  {
    id: "F7",
    title: "a joining member asks one member only, which may not know of it yet",
    origin,
    conditions: "the quorum needs the new member, and who is asked lags",
    caughtBy: ["liveness"],
    patches: [
      {
        in: "askForSelf",
        find: "ask(place + 1);",
        replace: `
          RAN();
          done(new StartError(problem));`,
      },
    ],
  },
  {
    id: "F13",
    title: "a rewritten backend lacks what was written since another state came into use",
    origin,
    conditions:
      "a snapshot replaces the state between the begin of a defragmentation and its commit, and entries are applied while the file is rewritten",
    caughtBy: ["S6", "S2", "G1", "G3", "C1"],
    plan: "f13-defragmentation-while-a-snapshot-arrives.json",
    patches: [{ in: "StateStore.replace", find: "this.#record?.stop();", replace: "RAN();" }],
  },
  {
    id: "F14",
    title: "who no longer knows an index counts for nobody, so the whole cluster stops",
    origin,
    conditions:
      "a member applies an entry wrongly and is cut off; most others are restarted behind that entry, and the log is released",
    caughtBy: ["G4", "liveness"],
    patches: [
      {
        in: "Inquiry.#answered",
        find: "!this.#parts.isEqualSince(id, this.#index)",
        replace: "RAN()",
      },
    ],
  },
];
