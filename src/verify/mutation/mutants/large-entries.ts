/**
 * Mutants of entries that are applied in slices (M80, M81): before the last slice, readers must see
 * nothing of the entry and the disk must hold nothing of it.
 */
import type { Mutant } from "../types.js";

export const largeEntryMutants: readonly Mutant[] = [
  {
    id: "M80",
    title: "the revision moves on with the first slice of an entry",
    origin: "class: a step is visible before the whole",
    conditions: "a read between two slices of an entry that changes several keys",
    caughtBy: ["C1", "C2", "S6", "C5-bookmarkable", "crash"],
    patches: [
      {
        in: "ReplicatedMachine.#open",
        find: `
          if (result.done !== true)
            return undefined;`,
        replace: `
          if (result.done !== true) {
            if (writer.revision > this.#meta.revision && RAN())
              this.#meta.revision = writer.revision;
            return undefined;
          }`,
      },
    ],
  },
  {
    id: "M81",
    title: "the rows of an entry are written and committed slice by slice",
    origin: "class: a write that is not atomic",
    conditions: "a crash between two slices of an entry",
    caughtBy: ["S2", "S6"],
    patches: [
      {
        in: "MovableBackend",
        begin: `
          commit(done) {
            this.#backend.commit(done);
          }`,
      },
      {
        in: "ReplicatedMachine.#open",
        find: `
          if (result.done !== true)
            return undefined;`,
        replace: `
          if (result.done !== true) {
            if (!w.isEmpty && RAN())
              w.writeRows();
            return undefined;
          }`,
      },
      {
        in: "EntryWrite",
        begin: `
          writeRows() {
            this.#backend.write(this.#rows, this.#run);
            this.#backend.commit(() => undefined);
          }`,
      },
    ],
  },
];
