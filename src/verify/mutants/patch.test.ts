import { describe, expect, test } from "vitest";
import { applyMutant } from "./patch.js";
import type { Mutant, Patch } from "./types.js";

const source = "export function half(n) {\n    return n / 2;\n}\n";

function mutantOf(...patches: Patch[]): Mutant {
  return { id: "T1", title: "", origin: "", conditions: "", caughtBy: [], patches };
}

function apply(...patches: Patch[]): string | undefined {
  return applyMutant(mutantOf(...patches), () => source).get("a.js");
}

describe("a patch", () => {
  test("changes its place and counts its runs", async () => {
    const text = apply({ file: "a.js", find: "n / 2", replace: "RAN() && n / 3" });
    const module = await import(`data:text/javascript,${encodeURIComponent(text ?? "")}`);
    const counter = globalThis as { __lockstepMutantRan?: number };
    counter.__lockstepMutantRan = 0;
    expect(module.half(9)).toBe(3);
    expect(module.half(6)).toBe(2);
    expect(counter.__lockstepMutantRan).toBe(2);
    delete counter.__lockstepMutantRan;
  });

  test("takes dollars in its text as they are", () => {
    const text = apply({ file: "a.js", find: "n / 2", replace: "RAN() && `$" + "{n}$&`" });
    expect(text).toContain("return RAN() && `$" + "{n}$&`;");
  });

  test("several of one file build on one another, with one RAN", () => {
    const text = apply(
      { file: "a.js", find: "n / 2", replace: "n / 3" },
      { file: "a.js", find: "n / 3", replace: "RAN() && n / 4" },
    );
    expect(text?.split("function RAN")).toHaveLength(2);
    expect(text).toContain("RAN() && n / 4");
  });

  test.each([
    ["whose place is gone", { find: "n / 5", replace: "RAN()" }, /T1: a\.js: .* 0 times/],
    ["whose place is there twice", { find: "n", replace: "RAN()" }, /T1: a\.js: .* \d+ times/],
    ["that does not count", { find: "n / 2", replace: "n / 3" }, /T1: none .* RAN\(\)/],
  ])("%s is refused", (_, patch, error) => {
    expect(() => apply({ file: "a.js", ...patch })).toThrow(error);
  });

  test("of the checks is refused: a mutant must not blind them", () => {
    const patch = { file: "verify/sim/run-plan.js", find: "n / 2", replace: "RAN()" };
    expect(() => apply(patch)).toThrow("not production code");
  });
});
