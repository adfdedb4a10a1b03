/**
 * Applies a mutant's patches to the compiled code. A patch whose place does not occur exactly once
 * is an error: a mutant that changes nothing would count as a bug that no check finds.
 *
 * Each changed file gets its own function RAN, which counts how often the changed code ran.
 */
import { type Declared, declaredIn, type ProductionCode } from "./production-code.js";
import { isNode, parseFragment, placesOf, type SyntaxNode } from "./syntax.js";
import type { Mutant, Patch } from "./types.js";

/** Counts on the global object, so that the count needs no import: the simulator reads it there. */
const ranFunction =
  "function RAN() { globalThis.__lockstepMutantRan = (globalThis.__lockstepMutantRan ?? 0) + 1; return true; }\n";

/**
 * The files that a mutant changes, with their new text, by their names below dist/.
 *
 * @throws Error that names the mutant, the declaration, and how often the place was found
 */
export function applyMutant(mutant: Mutant, code: ProductionCode): ReadonlyMap<string, string> {
  const { id, patches } = mutant;
  if (!patches.some((patch) => newCodeOf(patch).includes("RAN()"))) {
    throw new Error(`${id}: none of its patches calls RAN()`);
  }
  const texts = new Map<string, string>();
  for (const patch of patches) {
    try {
      const { file } = meant(patch, code);
      const text = texts.get(file) ?? ranFunction + code.read(file);
      texts.set(file, withImports(applyPatch(patch, text, file, code), patch, file, code));
    } catch (error) {
      throw new Error(`${id}: ${(error as Error).message}${elsewhere(patch, code)}`);
    }
  }
  return texts;
}

/** Of several declarations with that name, the one that contains the place. */
function meant(patch: Patch, code: ProductionCode): Declared {
  const named = code.named(patch.in, patch.file);
  const holds = ({ node }: Declared): boolean =>
    "find" in patch && placesOf(parseFragment(code.parse, patch.find), node).length > 0;
  const held = named.length === 1 ? named : named.filter(holds);
  const [only, second] = held;
  if (only !== undefined && second === undefined) return only;
  const files = named.map(({ file }) => file).join(", ");
  throw new Error(`${patch.in} is declared ${named.length} times: name its file (${files})`);
}

function newCodeOf(patch: Patch): string {
  return "begin" in patch ? patch.begin : patch.replace;
}

function applyPatch(patch: Patch, text: string, file: string, code: ProductionCode): string {
  const declared = declaredIn(code.parse(text), file).find(({ name }) => name === patch.in);
  if (declared === undefined) throw new Error(`another patch has removed ${patch.in}`);
  const { start, end } = "begin" in patch ? beginOf(declared) : placeOf(patch.find, declared, code);
  const changed = `${text.slice(0, start)}${newCodeOf(patch)}${text.slice(end)}`;
  try {
    code.parse(changed);
  } catch (error) {
    throw new Error(`${patch.in}: the new code is not JavaScript: ${(error as Error).message}`);
  }
  return changed;
}

function placeOf(
  find: string,
  { name, node }: Declared,
  { parse }: ProductionCode,
): { readonly start: number; readonly end: number } {
  const places = placesOf(parseFragment(parse, find), node);
  const [place, second] = places;
  if (place === undefined || second !== undefined) {
    throw new Error(`${name}: the place is there ${places.length} times, not once: ${find}`);
  }
  return place;
}

/** The position after the brace that begins a function or a class. */
function beginOf({ name, node }: Declared): { readonly start: number; readonly end: number } {
  const holder = [node.value, node.init, node].find(isNode) as SyntaxNode;
  const { body } = holder;
  if (!isNode(body) || !/^(BlockStatement|ClassBody|FunctionBody)$/.test(body.type)) {
    throw new Error(`${name}: only a function with braces or a class can begin with something`);
  }
  return { start: body.start + 1, end: body.start + 1 };
}

function withImports(text: string, patch: Patch, file: string, code: ProductionCode): string {
  let result = text;
  for (const name of patch.uses ?? []) {
    const exporter = code.exporterOf(name);
    const isKnown = new RegExp(`^import [^;]*\\b${name}\\b`, "m").test(result);
    if (exporter === file || isKnown) continue;
    result = `import { ${name} } from "${relative(file, exporter)}";\n${result}`;
  }
  return result;
}

/** The path from a file to another one, as an import writes it. */
function relative(from: string, to: string): string {
  const above = from.split("/").slice(0, -1);
  const path = to.split("/");
  while (above.length > 0 && above[0] === path[0]) {
    above.shift();
    path.shift();
  }
  return `${above.length === 0 ? "./" : "../".repeat(above.length)}${path.join("/")}`;
}

/**
 * For a patch that does not apply: other declarations that contain that piece of code, most likely
 * renamed ones.
 */
function elsewhere(patch: Patch, code: ProductionCode): string {
  if ("begin" in patch) return "";
  try {
    const fragment = parseFragment(code.parse, patch.find);
    const others = code
      .all()
      .filter(
        ({ name, node }) =>
          name !== patch.in &&
          node.type !== "ClassDeclaration" &&
          placesOf(fragment, node).length === 1,
      )
      .map(({ name, file }) => `${name} (${file})`);
    return others.length === 0 || others.length > 3 ? "" : `; it is in ${others.join(", ")}`;
  } catch (error) {
    return `; what it looks for is not JavaScript: ${(error as Error).message}`;
  }
}
