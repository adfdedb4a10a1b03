import { beforeAll, describe, expect, test } from "vitest";
import { loadParser } from "../../cli/mutants/mutant-parser.js";
import { applyMutant } from "./patch.js";
import { ProductionCode } from "./production-code.js";
import type { Parse } from "./syntax.js";
import type { Mutant, Patch } from "./types.js";

const half = "export function half(n) {\n    return n / 2;\n}\n";
const half2 = half.replace("half", "other");
const counterClass = `const start = 1;
export class Counter {
    #n = start;
    /** Adds. */
    add(step = 1) {
        if (step > 9)
            return;
        this.#n += step;
        this.#told("added");
        this.#told("added");
    }
    #told(word) { console.log(word, this.#n); }
}
`;

let parse: Parse;
beforeAll(async () => {
  parse = await loadParser();
});

function codeOf(files: Readonly<Record<string, string>>): ProductionCode {
  return new ProductionCode(
    { names: Object.keys(files), read: (name) => files[name] as string },
    parse,
  );
}

function mutantOf(...patches: Patch[]): Mutant {
  return { id: "T1", title: "", origin: "", conditions: "", caughtBy: [], patches };
}

/** The text after the function RAN. */
function apply(files: Readonly<Record<string, string>>, ...patches: Patch[]): string {
  const changed = [...applyMutant(mutantOf(...patches), codeOf(files)).values()];
  expect(changed).toHaveLength(1);
  return (changed[0] as string).replace(/function RAN.*\n/, "");
}

describe("a patch", () => {
  test("changes its place and counts its runs", async () => {
    const patch = { in: "half", find: "n / 2", replace: "RAN() && n / 3" };
    const texts = applyMutant(mutantOf(patch), codeOf({ "a.js": half }));
    const text = texts.get("a.js") ?? "";
    const module = await import(`data:text/javascript,${encodeURIComponent(text)}`);
    const counter = globalThis as { __lockstepMutantRan?: number };
    counter.__lockstepMutantRan = 0;
    expect(module.half(9)).toBe(3);
    expect(module.half(6)).toBe(2);
    expect(counter.__lockstepMutantRan).toBe(2);
    delete counter.__lockstepMutantRan;
  });

  test("is found wherever the file is, and whatever it is called", () => {
    const patch = { in: "half", find: "n / 2", replace: "RAN()" };
    for (const name of ["a.js", "deep/down/b.js"]) {
      expect(apply({ "other.js": half2, [name]: half }, patch)).toContain("return RAN();");
    }
  });

  test.each([
    ["layout and comments", "if (step\n > 9) /* so */ return // much\n;"],
    ["types of the source", "if ((step as number) > 9!) return;"],
  ])("does not look at %s", (_, find) => {
    const text = apply({ "a.js": counterClass }, { in: "Counter.add", find, replace: "RAN();" });
    expect(text).toContain("add(step = 1) {\n        RAN();\n        this.#n += step;");
  });

  test("does not look at the kind of quotes", () => {
    const patch = { in: "Counter.#told", find: "console.log(word, this.#n);", replace: "RAN();" };
    expect(apply({ "a.js": counterClass }, patch)).toContain("#told(word) { RAN(); }");
    const find = "this.#n += step; this.#told('added');";
    const text = apply({ "a.js": counterClass }, { in: "Counter.add", find, replace: "RAN();" });
    expect(text).toContain('RAN();\n        this.#told("added");');
  });

  test("tells a statement from a part of it, and a default of a parameter too", () => {
    const replace = "RAN() ? 2 : 1";
    expect(apply({ "a.js": counterClass }, { in: "Counter.add", find: "1", replace })).toContain(
      "add(step = RAN() ? 2 : 1)",
    );
    expect(apply({ "a.js": counterClass }, { in: "start", find: "1", replace })).toContain(
      "const start = RAN() ? 2 : 1;",
    );
  });

  test("begins a function, and adds members to a class", () => {
    const text = apply(
      { "a.js": counterClass },
      { in: "Counter.add", begin: "RAN();" },
      { in: "Counter", begin: "twice() { this.add(); }" },
    );
    expect(text).toContain("add(step = 1) {RAN();");
    expect(text).toContain("export class Counter {twice() { this.add(); }");
  });

  test("takes dollars in its text as they are", () => {
    const replace = "RAN() && `$" + "{n}$&`";
    const text = apply({ "a.js": half }, { in: "half", find: "n / 2", replace });
    expect(text).toContain("return RAN() && `$" + "{n}$&`;");
  });

  test("several of one file build on one another, with one RAN", () => {
    const texts = applyMutant(
      mutantOf(
        { in: "half", find: "n / 2", replace: "n / 3" },
        { in: "half", find: "n / 3", replace: "RAN() && n / 4" },
      ),
      codeOf({ "a.js": half }),
    );
    expect(texts.get("a.js")?.split("function RAN")).toHaveLength(2);
    expect(texts.get("a.js")).toContain("RAN() && n / 4");
  });

  test("imports what it uses from where that is", () => {
    const files = { "x/y/a.js": half, "x/z/b.js": half2 };
    const patch = { in: "half", find: "n / 2", replace: "RAN() && other(n)", uses: ["other"] };
    expect(apply(files, patch)).toContain('import { other } from "../z/b.js";');
  });

  test.each<readonly [string, Patch, RegExp]>([
    [
      "whose place is gone",
      { in: "half", find: "n / 5", replace: "RAN()" },
      /T1: half: .* 0 times/,
    ],
    [
      "whose place is there twice",
      { in: "Counter.add", find: 'this.#told("added")', replace: "RAN()" },
      /T1: Counter.add: .* 2 times/,
    ],
    ["that does not count", { in: "half", find: "n / 2", replace: "n" }, /T1: none .* RAN\(\)/],
    ["of what nobody declares", { in: "no", find: "n", replace: "RAN()" }, /nothing declares no/],
    [
      "of a function with another name",
      { in: "old", find: "n / 2", replace: "RAN()" },
      /nothing declares old; it is in half \(a\.js\)/,
    ],
    [
      "that leaves no JavaScript",
      { in: "half", find: "n / 2", replace: "RAN() +" },
      /the new code is not JavaScript/,
    ],
    [
      "that looks for no JavaScript",
      { in: "half", find: "n / ", replace: "RAN()" },
      /T1: .*Unexpected/,
    ],
    [
      "of the checks: a mutant must not blind them",
      { in: "other", find: "n / 2", replace: "RAN()" },
      /nothing declares other/,
    ],
  ])("%s is refused", (_, patch, error) => {
    const files = { "a.js": half, "b.js": counterClass, "verify/sim/c.js": half2 };
    expect(() => applyMutant(mutantOf(patch), codeOf(files))).toThrow(error);
  });

  test("of a name that several files have goes where its place is; a hint decides", () => {
    const files = { "x/a.js": half, "x/b.js": half, "c.js": half.replace("2", "7") };
    const patch = { in: "half", find: "n / 7", replace: "RAN()" };
    expect(apply(files, patch)).toContain("return RAN();");
    const unclear = { in: "half", find: "n / 2", replace: "RAN()" };
    expect(() => apply(files, unclear)).toThrow("3 times: name its file");
    expect(apply(files, { ...unclear, file: "b.ts" })).toContain("return RAN();");
  });
});
