import fc from "fast-check";
import { expect, test } from "vitest";
import { shortText, visibleText, wrapText, xmlText } from "./xml-text.js";

test("what cannot be seen is written as its code", () => {
  expect(visibleText("a\u0000b\u007f\u00e9\u202e\ud800\uffff😀")).toBe(
    "a\\x00b\\x7f\u00e9\\u202e\\ud800\\uffff😀",
  );
});

test("markup becomes entities", () => {
  expect(xmlText(`<a b="c" d='e'>&amp;`)).toBe("&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;amp;");
});

test("short text counts characters, not halves of them", () => {
  expect(shortText("😀😀😀", 3)).toBe("😀😀😀");
  expect(shortText("😀😀😀", 2)).toBe("😀…");
  expect(shortText("ab", 0)).toBe("");
});

test("wrapping loses nothing but spaces and keeps to its width", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary", maxLength: 200 }),
      fc.integer({ min: 2, max: 40 }),
      (text, columns) => {
        const lines = wrapText(text, columns);
        for (const line of lines) expect([...line].length).toBeLessThanOrEqual(columns);
        const bare = (whole: string): string => whole.replace(/\s/g, "");
        expect(bare(lines.join(""))).toBe(bare(text.split("\n").map(visibleText).join("")));
      },
    ),
  );
});
