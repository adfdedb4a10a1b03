/**
 * Reads command lines as etcdctl does: flags anywhere between the words, `--name=value` or `--name
 * value`, switches bare or `--name=false`, `--` ends the flags. Knows no command, and never reads a
 * flag that the command did not declare. Environment: ETCDCTL_NAME for the global ones.
 */

/** Exit codes of etcdctl: the error's text goes to standard error behind "Error: ". */
export const Exit = {
  failed: 1,
  badConnection: 2,
  badInput: 3,
  badFeature: 4,
  interrupted: 5,
  badArgs: 128,
} as const;

/** An error for the user. `exit` is the code of the process. */
export class CtlError extends Error {
  override readonly name = "CtlError";
  constructor(
    message: string,
    readonly exit: number = Exit.failed,
  ) {
    super(message);
  }
}

/**
 * Flags with their default values. A boolean makes a flag a switch, an array makes it repeatable.
 */
export type FlagTable = Readonly<Record<string, string | boolean>>;

export class Flags {
  readonly #values: Map<string, string | boolean>;
  readonly #given: ReadonlySet<string>;
  constructor(values: Map<string, string | boolean>, given: ReadonlySet<string>) {
    this.#values = values;
    this.#given = given;
  }
  text(name: string): string {
    return String(this.#values.get(name) ?? "");
  }
  isOn(name: string): boolean {
    return this.#values.get(name) === true;
  }
  wasGiven(name: string): boolean {
    return this.#given.has(name);
  }
  /** @throws CtlError when the value is not a whole number. */
  integer(name: string): bigint {
    return parseInteger(this.text(name), 10, (reason) => {
      return new CtlError(`invalid argument "${this.text(name)}" for "--${name}" flag: ${reason}`);
    });
  }
}

const MAX_INT64 = 2n ** 63n - 1n;

/** Reads a signed 64-bit number as Go's strconv does. `fail` turns Go's reason into the error. */
export function parseInteger(
  text: string,
  base: 10 | 16,
  fail: (reason: string) => CtlError,
  kind: "ParseInt" | "ParseUint" = "ParseInt",
): bigint {
  const pattern = base === 10 ? /^[+-]?\d+$/ : /^[+-]?[0-9a-f]+$/i;
  if (!pattern.test(text) || (kind === "ParseUint" && /^[+-]/.test(text))) {
    throw fail(`strconv.${kind}: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  const digits = text.replace(/^[+-]/, "");
  const size = BigInt(base === 16 ? `0x${digits}` : digits);
  const number = text.startsWith("-") ? -size : size;
  const limit = kind === "ParseUint" ? 2n ** 64n - 1n : MAX_INT64;
  if (number > limit || number < -MAX_INT64 - 1n) {
    throw fail(`strconv.${kind}: parsing ${JSON.stringify(text)}: value out of range`);
  }
  return number;
}

/** The flags that have one letter. */
export const shortNames: Readonly<Record<string, string>> = {
  d: "discovery-srv",
  w: "write-out",
  i: "interactive",
  h: "help",
  l: "listen",
};

function readSwitch(name: string, value: string): boolean {
  if (/^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw new CtlError(
    `invalid argument "${value}" for "--${name}" flag: strconv.ParseBool: parsing "${value}": invalid syntax`,
  );
}

/**
 * Splits `words` by `table`. `args` end with the words that follow "--"; `after` has these words
 * too. @throws CtlError on an unknown flag or a missing value.
 */
export function parseFlags(
  words: readonly string[],
  table: FlagTable,
): { readonly flags: Flags; readonly args: string[]; readonly after: string[] } {
  const values = new Map<string, string | boolean>(Object.entries(table));
  const given = new Set<string>();
  const args: string[] = [];
  const after: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as string;
    if (word === "--") {
      after.push(...words.slice(at + 1));
      args.push(...after);
      break;
    }
    const match = /^(--?)([^=]+)(?:=([\s\S]*))?$/.exec(spelledOut(word));
    if (match === null) {
      args.push(word);
      continue;
    }
    const [, dashes, spelled = "", value] = match;
    const name = dashes === "-" ? (shortNames[spelled] ?? "") : spelled;
    const start = table[name];
    if (start === undefined) {
      throw new CtlError(
        dashes === "--"
          ? `unknown flag: --${spelled}`
          : `unknown shorthand flag: '${spelled[0]}' in -${spelled}`,
      );
    }
    given.add(name);
    if (typeof start === "boolean") {
      values.set(name, value === undefined ? true : readSwitch(name, value));
      continue;
    }
    const text = value ?? words[++at];
    if (text === undefined) throw new CtlError(`flag needs an argument: --${name}`);
    values.set(name, text);
  }
  return { flags: new Flags(values, given), args, after };
}

/** Spells out a short flag: -wjson and -w json are the same. */
function spelledOut(word: string): string {
  return word.replace(/^(-w)([^=-][\s\S]*)$/, "$1=$2");
}

/**
 * Reads the duration of the named flag, such as "1.5s", "2m" or "300ms". Returns milliseconds.
 * @throws CtlError
 */
export function parseDuration(name: string, text: string): number {
  const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) {
    const why = /^\d+(\.\d+)?$/.test(text) ? "missing unit in duration" : "invalid duration";
    throw new CtlError(`invalid argument "${text}" for "--${name}" flag: time: ${why} "${text}"`);
  }
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) {
    total += Number(amount) * (units[unit as string] as number);
  }
  return total;
}
