/**
 * Reads the part of EDN that histories use, and JSON, which differs little: commas are blanks, the
 * reader skips a colon right after a text key, `null` is nil. Keywords become texts without their
 * colon, vectors, lists and sets become arrays, tags are dropped. Every map knows its line.
 */
import { HistoryFormatError } from "../../history/history-format-error.js";

/** A value of EDN, as the reader gives it. */
export type EdnValue = null | boolean | number | string | EdnMap | readonly EdnValue[];

export interface EdnMap {
  /** The line of the opening brace, from 1. */
  readonly line: number;
  readonly entries: ReadonlyMap<string, EdnValue>;
}

const depthMax = 64;
const blank = /[\s,]/;
const delimiter = /[\s,"()[\]{};]/;
const closing: Readonly<Record<string, string>> = { "[": "]", "(": ")", "{": "}" };

/** True for a map, false for lists, plain values and undefined. */
export function isEdnMap(value: EdnValue | undefined): value is EdnMap {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export class EdnReader {
  readonly #text: string;
  #at = 0;
  #line = 1;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** The line of the next value. */
  get line(): number {
    return this.#line;
  }

  /** The next value; undefined at the end. @throws HistoryFormatError */
  next(): EdnValue | undefined {
    this.#skipBlanks();
    return this.#at < this.#text.length ? this.#value() : undefined;
  }

  #value(): EdnValue {
    this.#skipBlanks();
    const char = this.#text[this.#at];
    if (char === undefined) throw this.#problem("the text ends in the middle of a value");
    switch (char) {
      case '"':
        return this.#string();
      case "[":
      case "(":
        return this.#nested(() => this.#items(closing[char] as string));
      case "{":
        return this.#nested(() => this.#map());
      case "#":
        return this.#tagged();
      case ":":
        this.#at++;
        return this.#token();
      case "]":
      case ")":
      case "}":
        throw this.#problem(`"${char}" closes nothing`);
      default:
        return atom(this.#token());
    }
  }

  #nested<T>(read: () => T): T {
    if (++this.#depth > depthMax) throw this.#problem(`more than ${depthMax} levels of nesting`);
    this.#at++;
    const value = read();
    this.#depth--;
    return value;
  }

  #items(close: string): EdnValue[] {
    const opened = this.#line;
    const items: EdnValue[] = [];
    while (!this.#closes(close, opened)) items.push(this.#value());
    return items;
  }

  #map(): EdnMap {
    const line = this.#line;
    const entries = new Map<string, EdnValue>();
    while (!this.#closes("}", line)) {
      const isText = this.#text[this.#at] === '"';
      const key = this.#value();
      if (typeof key === "object") throw this.#problem("a key of a map is neither name nor number");
      this.#skipBlanks();
      if (isText && this.#text[this.#at] === ":") this.#at++;
      if (this.#closes("}", line)) throw this.#problem(`the map has no value for "${key}"`);
      entries.set(String(key), this.#value());
    }
    return { line, entries };
  }

  /** Skips the closing sign, if it is next. */
  #closes(close: string, opened: number): boolean {
    this.#skipBlanks();
    const char = this.#text[this.#at];
    if (char === undefined) {
      throw this.#problem(`the text ends before the "${close}" of line ${opened}`);
    }
    if (char !== close) return false;
    this.#at++;
    return true;
  }

  /** Reads what follows a "#": `#{...}` is a set, `#_x` nothing, and `#tag x` the value x. */
  #tagged(): EdnValue {
    this.#at++;
    const char = this.#text[this.#at];
    if (char === "{") return this.#nested(() => this.#items("}"));
    if (char === "_") {
      this.#at++;
      this.#nested(() => {
        this.#at--;
        this.#value();
      });
      return this.#value();
    }
    this.#token();
    return this.#nested(() => {
      this.#at--;
      return this.#value();
    });
  }

  #string(): string {
    const opened = this.#line;
    let from = ++this.#at;
    let value = "";
    for (;;) {
      const char = this.#text[this.#at];
      if (char === undefined) {
        throw this.#problem(`the text ends inside the quotes that line ${opened} opens`);
      }
      if (char === "\n") this.#line++;
      if (char === '"' || char === "\\") {
        value += this.#text.slice(from, this.#at++);
        if (char === '"') return value;
        value += this.#escape();
        from = this.#at;
      } else this.#at++;
    }
  }

  #escape(): string {
    const char = this.#text[this.#at++];
    switch (char) {
      case "n":
        return "\n";
      case "t":
        return "\t";
      case "r":
        return "\r";
      case "b":
        return "\b";
      case "f":
        return "\f";
      case "u": {
        const digits = this.#text.slice(this.#at, this.#at + 4);
        if (!/^[\da-fA-F]{4}$/.test(digits)) throw this.#problem(`\\u${digits} is no character`);
        this.#at += 4;
        return String.fromCharCode(Number.parseInt(digits, 16));
      }
      case "\\":
      case "/":
      case '"':
        return char;
      default:
        throw this.#problem(`\\${char ?? ""} is no escape`);
    }
  }

  #token(): string {
    const from = this.#at;
    while (this.#at < this.#text.length && !delimiter.test(this.#text[this.#at] as string)) {
      this.#at++;
    }
    if (this.#at === from) throw this.#problem(`"${this.#text[from] ?? ""}" is not expected here`);
    return this.#text.slice(from, this.#at);
  }

  #skipBlanks(): void {
    for (; this.#at < this.#text.length; this.#at++) {
      const char = this.#text[this.#at] as string;
      if (char === "\n") this.#line++;
      else if (char === ";") {
        const end = this.#text.indexOf("\n", this.#at);
        this.#at = (end < 0 ? this.#text.length : end) - 1;
      } else if (!blank.test(char)) return;
    }
  }

  #problem(problem: string): HistoryFormatError {
    return new HistoryFormatError(this.#line, problem);
  }
}

/** A symbol that is no constant and no number stays a text. */
function atom(token: string): EdnValue {
  if (token === "nil" || token === "null") return null;
  if (token === "true" || token === "false") return token === "true";
  if (!/^[-+]?\d+(\.\d+)?([eE][-+]?\d+)?[NM]?$/.test(token)) return token;
  const value = Number(token.replace(/[NM]$/, ""));
  // Beyond 2^53 two numbers could become equal, so the reader keeps their digits.
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? token : value;
}
