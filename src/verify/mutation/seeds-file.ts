/** The text of known-seeds.ts, which `lockstep sim --mutants --reseed` writes. */

export type Seeds = Readonly<Record<string, number>>;

/** The URL of the compiled file; its source has the same place below src/. */
export const seedsUrl = new URL("./known-seeds.js", import.meta.url).href;

/** `type`: the text after the names; the compiled file has none. */
export function seedsText(
  { mutants, needed }: { readonly mutants: Seeds; readonly needed: Seeds },
  type: string,
): string {
  const record = (seeds: Seeds): string => {
    const rows = Object.entries(seeds).map(([name, seed]) => `  ${quoted(name)}: ${seed},\n`);
    return `{\n${rows.join("")}}`;
  };
  return `/**
 * Written by \`lockstep sim --mutants --reseed\`; not by hand. Seeds are tried first: they may stop to
 * catch when the simulator draws otherwise, then a range is searched as for any other mutant.
 */

/** By mutant: a seed that catches it. */
export const knownSeeds${type} = ${record(mutants)};

/** By invariant: a seed where the mutant that needed.ts names for it is caught by nothing else. */
export const neededSeeds${type} = ${record(needed)};
`;
}

function quoted(name: string): string {
  return /^\w+$/.test(name) ? name : JSON.stringify(name);
}
