/**
 * Reports each entry that a machine has applied, in one turn or in many: right after its last
 * slice.
 */
import type { Entry } from "../../raft/types.js";
import type { Applied, Machine } from "../../state/types.js";

export function onApplied(machine: Machine, hear: (entry: Entry, applied: Applied) => void): void {
  const begin = machine.begin.bind(machine);
  machine.begin = (entry, way) => {
    const begun = begin(entry, way);
    if (!("step" in begun)) {
      hear(entry, begun);
      return begun;
    }
    return {
      index: begun.index,
      step: (units) => {
        const applied = begun.step(units);
        if (applied !== undefined) hear(entry, applied);
        return applied;
      },
    };
  };
}
