/** The house rules about parts and names: who may change the state, and one name for one thing. */
import path from "node:path";
import { expect, test } from "vitest";
import { read, tracked } from "./support/tracked-files.js";

/** Who may change the replicated state: who opens one, and who applies entries to it. */
const writersOfState = [
  "src/etcd/log-entries.ts",
  "src/integrity/repair/adoption.ts",
  "src/integrity/startup/checkpoint-note.ts",
  "src/member/assemble/wiring.ts",
  "src/member/start.ts",
  "src/member/startup/boot.ts",
  "src/member/startup/restart.ts",
  "src/member/turns/applier.ts",
  "src/snapshot/prove-fetched.ts",
  "src/snapshot/sink.ts",
  "src/storage/fetched-state.ts",
  "src/storage/state-store.ts",
  "src/storage/verify-state.ts",
];

test("only who opens a state or applies to it can change it", () => {
  const isProduct = (file: string): boolean =>
    /^src\/(?!state\/|verify\/).*\.ts$/.test(file) && !/\.(test|fixture|contract)\.ts$/.test(file);
  const writers = tracked.filter(isProduct).filter((file) => /state\/apply\.js"/.test(read(file)));
  expect(writers).toEqual(writersOfState);
  const callers = tracked
    .filter(isProduct)
    .filter((file) => /machine\.(apply|begin|bootstrap)\(|writableMachine\(\)/.test(read(file)));
  expect(callers).toEqual([
    "src/etcd/log-entries.ts",
    "src/integrity/repair/adoption.ts",
    "src/integrity/startup/checkpoint-note.ts",
    "src/member/assemble/consensus.ts",
    "src/member/startup/boot.ts",
    "src/storage/stand-in.ts",
    "src/storage/state-store.ts",
  ]);
});

test("no two files export a type of the same name: one name means one thing", () => {
  const isWritten = (file: string): boolean =>
    /^src\/.*\.ts$/.test(file) && !/\.(test|fixture|contract|child)\.ts$|\/gen\//.test(file);
  const exporters = new Map<string, string[]>();
  for (const file of tracked.filter(isWritten)) {
    for (const [, name = ""] of read(file).matchAll(
      /^export (?:abstract )?(?:type|interface|class) (\w+)/gm,
    ))
      exporters.set(name, [...(exporters.get(name) ?? []), file]);
  }
  const doubled = [...exporters].filter(([, files]) => new Set(files).size > 1);
  expect(exporters.size).toBeGreaterThan(500);
  expect(doubled).toEqual([]);
});

/** Parts that hand another one on whole: the value is part of what they give to others. */
const handedOn = [
  "src/integrity/monitor-parts.ts: Incidents",
  "src/member/member.ts: OperationCounts",
];

test("no part of a member receives another part whole: it names what it uses", () => {
  const rooms = tracked.filter(
    (file) =>
      /^src\/(?:member|peers|storage|snapshot|integrity|lease)\/.*\.ts$/.test(file) &&
      !/\.(test|fixture)\.ts$|\/assemble\/|member\/probe\.ts$/.test(file),
  );
  const parts = rooms.flatMap((file) =>
    [...read(file).matchAll(/^export class (\w+)/gm)].map(([, name]) => name),
  );
  const whole = new RegExp(`^  (?:readonly )?\\w+(?:\\(\\))?: (${parts.join("|")});$`, "gm");
  const received = rooms.flatMap((file) =>
    [...read(file).matchAll(/^(?:export )?interface [\s\S]*?^\}/gm)].flatMap(([text]) =>
      [...text.matchAll(whole)].map(([, name]) => `${file}: ${name}`),
    ),
  );
  expect(parts.length).toBeGreaterThan(50);
  expect([...new Set(received)]).toEqual(handedOn);
});

test("api/status.ts alone turns errors into statuses", () => {
  const services = tracked.filter(
    (file) => /^src\/api\/.*\.ts$/.test(file) && !/\.(test|fixture)\.ts$/.test(file),
  );
  const making = services.filter((file) => /\bcode: (?:Code\.|\d)|\bcall\.fail\(/.test(read(file)));
  expect(making).toEqual(["src/api/status.ts"]);
});

test("words that the glossary has replaced do not come back", () => {
  const replaced =
    /\b(?:court|plead?s?|testif\w+|testimon\w+|accus\w+|witness\w*|salvag\w+|guardian)\b/i;
  const written = tracked.filter(
    (file) => /^(?:src|test|docs|proto)\/|^[A-Z]+\.md$/.test(file) && !/wire\/gen\//.test(file),
  );
  const found = written.filter(
    (file) => file !== "test/house-parts.test.ts" && replaced.test(`${file} ${read(file)}`),
  );
  expect(found).toEqual([]);
});

test("each decision has a number of its own", () => {
  const numbers = tracked
    .filter((file) => file.startsWith("docs/decisions/"))
    .map((file) => path.basename(file).slice(0, 4));
  expect(numbers).toEqual([...new Set(numbers)]);
});
