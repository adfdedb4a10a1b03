/**
 * Makes text of any origin safe for XML and HTML, in element content and in quoted attributes.
 * Characters that XML cannot hold, or that are invisible, become escapes of their code.
 */

/**
 * Characters that a reader would not see: control characters, halves of a surrogate pair,
 * directional overrides and non-characters.
 */
const unseen =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not get through
  /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]|\p{Surrogate}/gu;

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Replaces characters that cannot be seen by \xNN or \uNNNN. */
export function visibleText(text: string): string {
  return text.replace(unseen, (character) => {
    const code = character.charCodeAt(0);
    const digits = code.toString(16);
    return code < 0x100 ? `\\x${digits.padStart(2, "0")}` : `\\u${digits.padStart(4, "0")}`;
  });
}

export function xmlText(text: string): string {
  return visibleText(text).replace(/[&<>"']/g, (character) => entities[character] as string);
}

/** At most `columns` long; an ellipsis shows that text was cut. */
export function shortText(text: string, columns: number): string {
  const characters = [...visibleText(text)];
  if (characters.length <= columns) return characters.join("");
  return columns < 1 ? "" : `${characters.slice(0, columns - 1).join("")}…`;
}

/** Lines of at most `columns` characters, broken between words where there is a space. */
export function wrapText(text: string, columns: number): string[] {
  const pattern = new RegExp(`\\S(?:.{0,${columns - 2}}\\S)?(?=\\s|$)|\\S{1,${columns}}`, "gu");
  return text.split("\n").flatMap((line) => visibleText(line).match(pattern) ?? []);
}
