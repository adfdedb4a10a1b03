import { expect, test } from "vitest";
import { unquoted } from "./go-unquote.js";

test.each([
  ['"plain é"', Buffer.from("plain é")],
  ['""', Buffer.alloc(0)],
  ['"a\\xff\\x00b"', Buffer.from([0x61, 0xff, 0, 0x62])],
  ['"\\377\\a\\v\\"\\\\"', Buffer.from([255, 7, 11, 34, 92])],
  ['"\\u00e9\\U0001F600"', Buffer.from("é😀")],
])("%s", (text, bytes) => {
  expect(unquoted(text)?.toString("hex")).toBe(bytes.toString("hex"));
});

test.each(['"\\q"', '"\\x1"', '"\\U00110000"', '"\\400"', '"\\"'])("%s is no string", (text) => {
  expect(unquoted(text)).toBeUndefined();
});
