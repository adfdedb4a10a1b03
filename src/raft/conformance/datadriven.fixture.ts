/**
 * The format of cockroachdb/datadriven: comments (#), a command with arguments (`key`, `key=value`,
 * `key=(a, b)`), optional input lines, `----`, the expected output up to an empty line. Output that
 * holds empty lines stands between doubled `----`.
 */

export interface Argument {
  readonly key: string;
  readonly values: readonly string[];
}

export interface Case {
  readonly line: number;
  readonly command: string;
  readonly args: readonly Argument[];
  readonly input: string;
  readonly expected: string;
}

const rule = "----";

export function parseCases(text: string): Case[] {
  const lines = text.split("\n");
  const cases: Case[] = [];
  let at = 0;
  while (at < lines.length) {
    const line = (lines[at] as string).trim();
    if (line === "" || line.startsWith("#")) {
      at++;
      continue;
    }
    const start = at;
    const end = lines.indexOf(rule, at);
    if (end === -1) throw new Error(`line ${start + 1}: a command without ${rule}`);
    const input = lines.slice(start + 1, end).join("\n");
    const output = readOutput(lines, end + 1);
    at = output.next;
    cases.push({ line: start + 1, ...parseCommand(line), input, expected: output.text });
  }
  return cases;
}

/** The value of `key=...`, undefined when it is not given. */
export function argumentOf({ args }: Case, key: string): string | undefined {
  return args.find((arg) => arg.key === key)?.values[0];
}

function readOutput(lines: readonly string[], from: number): { text: string; next: number } {
  if (lines[from] === rule) {
    let end = from + 1;
    while (!(lines[end] === rule && lines[end + 1] === rule)) {
      if (end++ > lines.length) throw new Error(`line ${from + 1}: an output without end`);
    }
    return { text: lines.slice(from + 1, end).join("\n"), next: end + 2 };
  }
  let end = from;
  while (end < lines.length && lines[end] !== "") end++;
  return { text: lines.slice(from, end).join("\n"), next: end };
}

function parseCommand(line: string): { command: string; args: Argument[] } {
  const tokens = line.match(/[^\s=(]+(?:=(?:\([^)]*\)|[^\s]*))?/g) ?? [];
  const args = tokens.slice(1).map((token) => {
    const [, key, list, value] = /^([^=]+)(?:=(?:\(([^)]*)\)|(.*)))?$/.exec(token) ?? [];
    const raw = list?.split(/[\s,]+/).filter((part) => part !== "") ?? value;
    const values = raw === undefined ? [] : typeof raw === "string" ? [raw] : raw;
    return { key: key ?? token, values };
  });
  return { command: tokens[0] ?? "", args };
}
