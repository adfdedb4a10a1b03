/**
 * Reports each entry that a machine has applied, in one turn or in many: right after its last
 * slice.
 */
import type { Entry } from "../../raft/types.js";
import { type BeginApply, beginApply } from "../../state/apply.js";
import type { Applied, MachineReader } from "../../state/types.js";

export function reportingApply(
  hear: (machine: MachineReader, entry: Entry, applied: Applied) => void,
): BeginApply {
  return (machine, entry, way) => {
    const begun = beginApply(machine, entry, way);
    if (!("step" in begun)) {
      hear(machine, entry, begun);
      return begun;
    }
    return {
      index: begun.index,
      step: (units) => {
        const applied = begun.step(units);
        if (applied !== undefined) hear(machine, entry, applied);
        return applied;
      },
    };
  };
}
