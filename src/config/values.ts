/**
 * Reads the texts of flags as their types. An error names the flag, variable or key that the text
 * came from.
 */
import { type Address, addressOf, checkUrl } from "./address.js";
import type { Flag } from "./flag.js";
import { flags, UsageError } from "./flags.js";

const unitMs: Readonly<Record<string, number>> = {
  ...{ ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1 },
  ...{ s: 1_000, m: 60_000, h: 3_600_000 },
};

export class Values {
  readonly #given: ReadonlyMap<string, string>;
  readonly #sourceOf: (name: string) => string;

  /** @param sourceOf where a value came from: "flag -name", "variable ETCD_NAME" */
  constructor(given: ReadonlyMap<string, string>, sourceOf: (name: string) => string) {
    this.#given = given;
    this.#sourceOf = sourceOf;
  }

  has(name: string): boolean {
    return (this.#given.get(name) ?? "") !== "";
  }

  text(name: string): string {
    return this.#given.get(name) ?? (flags.find((flag) => flag.name === name) as Flag).initial;
  }

  /** The error for a value that cannot be used. */
  invalid(name: string, why: string, part: string = this.text(name)): UsageError {
    return new UsageError(`invalid value "${part}" for ${this.#sourceOf(name)}: ${why}`);
  }

  list(name: string): string[] {
    const parts = this.text(name).split(",");
    return parts.map((part) => part.trim()).filter((part) => part !== "");
  }

  integer(name: string): number {
    const text = this.text(name);
    const value = Number(text);
    if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(value)) {
      throw this.invalid(name, "it must be a whole number");
    }
    return value;
  }

  positive(name: string): number {
    const value = this.integer(name);
    if (value > 0) return value;
    throw this.invalid(name, "it must be above 0");
  }

  boolean(name: string): boolean {
    const text = this.text(name).toLowerCase();
    if (["true", "t", "1"].includes(text)) return true;
    if (["false", "f", "0"].includes(text)) return false;
    throw this.invalid(name, "true or false");
  }

  /** name=boolean pairs, separated by commas. */
  gates(name: string, known: readonly string[]): ReadonlyMap<string, boolean> {
    const open = new Map<string, boolean>();
    for (const part of this.list(name)) {
      const [gate = "", text = ""] = part.split("=", 2);
      if (!known.includes(gate)) {
        const there = `there are ${known.join(", ")}`;
        throw this.invalid(name, `unrecognized feature gate "${gate}"; ${there}`, part);
      }
      if (!["true", "false"].includes(text.toLowerCase())) {
        throw this.invalid(name, `${gate}=true or =false`, part);
      }
      open.set(gate, text.toLowerCase() === "true");
    }
    return open;
  }

  /** Milliseconds of a duration in Go's form: 1h30m, 100ms, 1.5s. */
  duration(name: string): number {
    return this.durationOf(name, this.text(name));
  }

  /** The same, for a part of the flag's text. */
  durationOf(name: string, text: string): number {
    if (text === "0") return 0;
    const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)];
    if (parts.length === 0 || parts.map((part) => part[0]).join("") !== text) {
      throw this.invalid(name, "a duration like 100ms or 10m");
    }
    return parts.reduce((sum, part) => sum + Number(part[1]) * (unitMs[part[2] as string] ?? 0), 0);
  }

  choice<T extends string>(name: string, allowed: readonly T[]): T {
    const text = this.text(name) as T;
    if (allowed.includes(text)) return text;
    throw this.invalid(name, `it must be one of ${allowed.join(", ")}`);
  }

  logOutputs(): string[] {
    const outputs = this.text("log-outputs")
      .split(",")
      .map((output) => (output === "default" ? "stderr" : output));
    if (outputs.some((output) => output === "")) throw this.invalid("log-outputs", "one is empty");
    return [...new Set(outputs)];
  }

  /** The URLs without a trailing slash, each once, sorted, because their order means nothing. */
  urls(name: string): string[] {
    return [...new Set(this.list(name).map((text) => this.url(text, name)))].sort();
  }

  addresses(name: string): Address[] {
    return this.urls(name).map(addressOf);
  }

  /** @throws UsageError */
  url(text: string, name: string): string {
    const checked = checkUrl(text);
    if (typeof checked === "string") throw this.invalid(name, checked, text);
    return checked.url;
  }
}
