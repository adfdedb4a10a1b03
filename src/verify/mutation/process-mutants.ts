/**
 * Bugs that only real processes show, or show sooner: what a kill -9 takes with it, what a client's
 * resumed stream misses. `lockstep torture --mutant ID` runs them; the simulator's catalogue has the
 * others (catalogue.ts).
 */
import type { Mutant } from "./types.js";

export const processMutants: readonly Mutant[] = [
  {
    id: "X1",
    title: "an entry is acknowledged before it is written, 100 ms later",
    origin: "etcd #14370; class: an acknowledgement before the disk has it",
    conditions: "a quorum is killed within 100 ms of an acknowledgement",
    caughtBy: ["C1", "C2"],
    patches: [
      {
        in: "SegmentedWal.#enqueue",
        find: "this.#waiting.push(done);",
        replace: "RAN(); queueMicrotask(done);",
      },
      {
        in: "SegmentedWal.#flush",
        find: `
          this.#file?.writeAndSync(at, bytes, (error) => {
            if (this.#isClosed) return;
            if (error === undefined) this.#flushed(written, done);
            else this.#fail(error);
          });`,
        replace: `
          setTimeout(() => this.#file?.writeAndSync(at, bytes, (error) => {
            if (this.#isClosed) return;
            if (error === undefined) this.#flushed(written, done);
            else this.#fail(error);
          }), 100);`,
      },
    ],
  },
  {
    id: "X2",
    title: "a watch that is resumed begins one revision late",
    origin: "class: a start that is exclusive instead of inclusive",
    conditions: "a client resumes its watch, and there is an event right at its start",
    caughtBy: ["C5"],
    patches: [
      {
        in: "Hub.#create",
        find: "startRevision === 0 ? revision + 1 : startRevision",
        replace: `
          startRevision === 0
            ? revision + 1
            : startRevision + (startRevision > 1 && RAN() ? 1 : 0)`,
      },
    ],
  },
  {
    id: "X3",
    title: "the alarm NOSPACE stops only the member m1, when it proposes and when it applies",
    origin: "class: what one member alone checks decides what all apply",
    conditions: "the quota is used up while others write",
    caughtBy: ["S6", "N"],
    patches: [
      {
        in: "ReplicatedMachine.#isOutOfSpace",
        find: 'this.#alarms.has("NOSPACE")',
        replace: `this.#alarms.has("NOSPACE") &&
          RAN() &&
          globalThis.process.argv.includes("--name=m1")`,
      },
      {
        in: "Quota.check",
        find: "growthBytes === 0 || !this.#isOver(growthBytes)",
        replace: `
          growthBytes === 0 ||
          !this.#isOver(growthBytes) ||
          !globalThis.process.argv.includes("--name=m1")`,
      },
      {
        in: "Quota.isAlarmed",
        find: 'alarms.length > 0 && alarms.some((record) => record.alarm === "NOSPACE")',
        replace: "false",
      },
    ],
  },
  {
    id: "X4",
    title: "a replaced state closes the views that clients still read",
    origin: "class: a file that is closed under its readers",
    conditions: "a snapshot is read while its member is defragmented",
    caughtBy: ["U2"],
    patches: [
      {
        in: "StateViews.replaced",
        begin: `
          for (const view of this.#open)
            if (view.backend === backend && RAN()) view.drop();`,
      },
      { in: "HeldView", begin: "drop() { this.#snapshot.close(); }" },
    ],
  },
];
