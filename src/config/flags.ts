/**
 * The flags of `lockstep server`: etcd's names, defaults and Go syntax (-f or --f, =value or the
 * next word, booleans alone or =value). An unknown flag is an error that names the nearest known one.
 * Pure: words and variables in, texts out.
 */
import type { Flag } from "./flag.js";
import { experimentalNames, flagGroups } from "./flag-table.js";

export const flags: readonly Flag[] = flagGroups.flatMap((group) => group.flags);

/** The command line, a variable or the file is wrong. The message says what to write instead. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export interface ParsedFlags {
  /** Values by flag name; only flags that were given. */
  readonly values: ReadonlyMap<string, string>;
  readonly wants: "server" | "help" | "version";
}

/** @throws UsageError */
export function parseWords(words: readonly string[]): ParsedFlags {
  const values = new Map<string, string>();
  const spelled = new Map<string, string>();
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as string;
    const match = /^--?([^=-][^=]*)(?:=([\s\S]*))?$/.exec(word);
    if (match === null) throw new UsageError(`"${word}" is not a valid flag`);
    const [, given, inline] = match as unknown as [string, string, string | undefined];
    if (given === "h" || given === "help") return { values, wants: "help" };
    if (given === "version") return { values, wants: "version" };
    const known = findFlag(given);
    if (known === undefined) throw new UsageError(unknownFlag(given));
    const isSwitch = known.kind === "boolean" && inline === undefined;
    const value = inline ?? (isSwitch ? "true" : words[++at]);
    if (value === undefined) throw new UsageError(`flag needs an argument: -${given}`);
    if ((spelled.get(known.name) ?? given) !== given) {
      throw new UsageError(`-${given} and -${spelled.get(known.name)} are the same flag: give one`);
    }
    spelled.set(known.name, given);
    values.set(known.name, value);
  }
  return { values, wants: "server" };
}

/**
 * ETCD_* variables: `values` and the variables' `names` by flag name, `unknown` the variables that match
 * no flag.
 */
export function parseEnvironment(environment: Readonly<Record<string, string | undefined>>): {
  readonly values: ReadonlyMap<string, string>;
  readonly names: ReadonlyMap<string, string>;
  readonly unknown: readonly string[];
} {
  const values = new Map<string, string>();
  const names = new Map<string, string>();
  const unknown: string[] = [];
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith("ETCD_") || value === undefined || value === "") continue;
    const known = findFlag(name.slice("ETCD_".length).toLowerCase().replaceAll("_", "-"));
    if (known === undefined) unknown.push(name);
    else {
      values.set(known.name, value);
      names.set(known.name, name);
    }
  }
  return { values, names, unknown };
}

/**
 * The flag of that name, without dashes. Also finds etcd's older name with `experimental-` in
 * front.
 */
export function findFlag(name: string): Flag | undefined {
  const short = name.startsWith("experimental-") ? name.slice("experimental-".length) : name;
  if (short !== name && !experimentalNames.has(short)) return undefined;
  return flags.find((known) => known.name === short);
}

/** The message for a name that no flag has; it names the nearest one. */
export function unknownFlag(name: string): string {
  const nearest = [...flags].sort((a, b) => distance(a.name, name) - distance(b.name, name))[0];
  return `flag provided but not defined: -${name} (the nearest known flag is --${nearest?.name})`;
}

/** The text of `lockstep server --help`. */
export function flagHelp(): string {
  const groups = flagGroups.map(({ title, flags: some }) => {
    const lines = some.map(
      ({ name, initial, help, verdict }) =>
        `  --${name} '${initial}'\n      ${verdict === undefined ? "" : `(${verdict}) `}${help}\n`,
    );
    return `${title}:\n${lines.join("")}`;
  });
  return ["Usage: lockstep server [flags]", ...groups].join("\n\n");
}

/** Levenshtein's edit distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replace, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
