/** Stories of the key space: testdata/*.txt, see script.fixture.ts. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { runScript } from "./script.fixture.js";

const folder = new URL("testdata/", import.meta.url);

test.each(readdirSync(folder).sort())("%s", (name) => {
  const file = new URL(name, folder);
  const script = readFileSync(file, "utf8");
  const actual = runScript(script);
  if (process.env.UPDATE === "1") writeFileSync(file, actual);
  else expect(actual).toBe(script);
});
