/**
 * Fields of an object that Go's encoder wrote: an absent field is zero, and an absent list is null.
 */
import { HistoryFormatError } from "../../history/history-format-error.js";

type Plain = Readonly<Record<string, unknown>>;

export class GoFields {
  readonly #fields: Plain;
  /** Where the object stands, for errors: "Input.Txn". Empty: the object itself. */
  readonly #place: string;
  readonly line: number;

  constructor(fields: Plain, line: number, place = "") {
    this.#fields = fields;
    this.line = line;
    this.#place = place;
  }

  text(name: string): string {
    const value = this.#fields[name];
    if (value === undefined) return "";
    return typeof value === "string" ? value : this.#refuse(name, "a text", value);
  }

  flag(name: string): boolean {
    const value = this.#fields[name];
    if (value === undefined) return false;
    return typeof value === "boolean" ? value : this.#refuse(name, "true or false", value);
  }

  whole(name: string): number {
    const value = this.#fields[name];
    if (value === undefined) return 0;
    if (Number.isSafeInteger(value)) return value as number;
    return this.#refuse(name, "a whole number", value);
  }

  /** Undefined: the object is absent or null. */
  part(name: string): GoFields | undefined {
    const value = this.#fields[name];
    if (value === undefined || value === null) return undefined;
    if (typeof value !== "object" || Array.isArray(value)) {
      return this.#refuse(name, "an object", value);
    }
    return new GoFields(value as Plain, this.line, this.#at(name));
  }

  list(name: string): readonly GoFields[] {
    const value = this.#fields[name];
    if (value === undefined || value === null) return [];
    if (!Array.isArray(value)) return this.#refuse(name, "a list", value);
    return value.map((one, at) => {
      if (typeof one === "object" && one !== null) {
        return new GoFields(one as Plain, this.line, `${this.#at(name)}[${at}]`);
      }
      return this.#refuse(`${name}[${at}]`, "an object", one);
    });
  }

  /** The object lacks something that it needs. */
  fail(problem: string): never {
    throw new HistoryFormatError(this.line, `${this.#place || "the object"} ${problem}`);
  }

  #refuse(name: string, wanted: string, value: unknown): never {
    const shown = JSON.stringify(value).slice(0, 40);
    throw new HistoryFormatError(this.line, `${this.#at(name)} is not ${wanted}: ${shown}`);
  }

  #at(name: string): string {
    return this.#place === "" ? name : `${this.#place}.${name}`;
  }
}
