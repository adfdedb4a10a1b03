/**
 * Applies a mutant's patches to compiled code, as text. A patch whose place is not found exactly
 * once is an error: a mutant that silently changes nothing would count as a bug that nobody finds.
 *
 * The text gets a function RAN of its own, which counts how often the changed code ran.
 */
import type { Mutant } from "./types.js";

/** Counts on the global object, so that the count needs no import: the simulator reads it there. */
const ranFunction =
  "function RAN() { globalThis.__lockstepMutantRan = (globalThis.__lockstepMutantRan ?? 0) + 1; return true; }\n";

/**
 * The files that a mutant changes, as they read afterwards.
 *
 * @param read the compiled file of a name below dist/
 * @throws Error that names the mutant, the file, and how often the place was found
 */
export function applyMutant(
  mutant: Mutant,
  read: (file: string) => string,
): ReadonlyMap<string, string> {
  const { id, patches } = mutant;
  if (!patches.some(({ replace }) => replace.includes("RAN()"))) {
    throw new Error(`${id}: none of its patches calls RAN()`);
  }
  const texts = new Map<string, string>();
  for (const { file, find, replace } of patches) {
    if (/^(verify|cli)\//.test(file)) throw new Error(`${id}: ${file} is not production code`);
    const text = texts.get(file) ?? ranFunction + read(file);
    const found = text.split(find).length - 1;
    if (found !== 1) {
      throw new Error(`${id}: ${file}: the place is there ${found} times, not once: ${find}`);
    }
    const at = text.indexOf(find);
    texts.set(file, text.slice(0, at) + replace + text.slice(at + find.length));
  }
  return texts;
}
