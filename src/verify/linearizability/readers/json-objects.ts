/**
 * Splits a text of JSON objects that follow each other, each on one line or on several, as Go's
 * encoder writes them with and without indentation.
 */
import { HistoryFormatError } from "../../history/history-format-error.js";

export interface JsonObject {
  readonly value: Readonly<Record<string, unknown>>;
  /** The line, from 1, on which the object begins. */
  readonly line: number;
}

const space = new Set([" ", "\t", "\r", "\n"]);

/**
 * @param before changes the text of each object before it is parsed
 * @throws HistoryFormatError
 */
export function* jsonObjects(
  text: string,
  before: (object: string) => string = (object) => object,
): Generator<JsonObject, void> {
  let line = 1;
  for (let at = 0; at < text.length; ) {
    const char = text[at] as string;
    if (char === "\n") line++;
    if (space.has(char)) {
      at++;
      continue;
    }
    if (char !== "{") {
      const shown = JSON.stringify(text.slice(at, at + 20).split("\n")[0]);
      throw new HistoryFormatError(line, `an object begins with "{", not with ${shown}`);
    }
    const end = endOf(text, at, line);
    const object = text.slice(at, end);
    yield { value: parsed(before(object), line), line };
    line += object.split("\n").length - 1;
    at = end;
  }
}

/** The place behind the object that begins there. */
function endOf(text: string, begin: number, line: number): number {
  let depth = 0;
  let isText = false;
  for (let at = begin; at < text.length; at++) {
    const char = text[at];
    if (isText) {
      if (char === "\\") at++;
      else if (char === '"') isText = false;
    } else if (char === '"') isText = true;
    else if (char === "{") depth++;
    else if (char === "}" && --depth === 0) return at + 1;
  }
  throw new HistoryFormatError(line, "the text ends before this object does: it was cut short");
}

function parsed(object: string, line: number): JsonObject["value"] {
  try {
    return JSON.parse(object) as JsonObject["value"];
  } catch (error) {
    throw new HistoryFormatError(line, `this is not JSON: ${(error as Error).message}`);
  }
}
