/** `--check` finds patches that apply, but use something that the code no longer has. */
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { Mutant, Patch } from "../../verify/mutation/types.js";
import { missingNames, sourceFolder } from "./mutant-types.js";

const root = fileURLToPath(new URL("../../..", import.meta.url));

function mutant(id: string, ...patches: readonly Patch[]): Mutant {
  return { ...{ id, title: "", origin: "", conditions: "", caughtBy: [] }, patches };
}

const isEmpty = { in: "RaftLog.commitTo", find: "if (index <= this.#committed) return;" };
const replaced = (replace: string): Patch => ({ ...isEmpty, replace: `RAN(); ${replace}` });

test("names a method, a property, a function or an argument that is gone, by its mutant", async () => {
  const reasons = await missingNames(
    [
      mutant("T1", replaced("this.gone();")),
      mutant("T2", replaced("if (this.storage.gone > 1) return;")),
      mutant("T3", replaced("goneFunction(index);")),
      mutant("T4", replaced("this.append();")),
      mutant("T5", replaced("this.commitTo(index, 1); if (index <= this.#committed) return;")),
      mutant("T6", replaced("this.noted = index; this.told();"), {
        ...{ in: "RaftLog", begin: "\n  told() {\n    return this.noted;\n  }" },
      }),
    ],
    root,
  );
  expect([...reasons.keys()].sort()).toEqual(["T1", "T2", "T3", "T4"]);
  expect(reasons.get("T1")).toMatch(/^T1: in src.raft.log.raft-log\.ts: Property 'gone' does not/);
});

test("an installation without sources checks no names", () => {
  expect(sourceFolder(fileURLToPath(new URL("../../../dist", import.meta.url)))).toBe(
    root.replace(/\/$/, ""),
  );
  expect(sourceFolder("/nowhere/dist")).toBeUndefined();
});
