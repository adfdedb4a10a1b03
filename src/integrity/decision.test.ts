/** Who is right: only what more than half of all voters hold, whoever answers. */

import fc from "fast-check";
import { expect, test } from "vitest";
import type { Fingerprint } from "../state/fingerprint.js";
import { judge } from "./decision.js";

function fingerprint(state: number, more: Partial<Fingerprint> = {}): Fingerprint {
  const numbers = { index: 9, revision: 4, compactRevision: -1, logChain: 7, version: 1 };
  return { ...numbers, rows: new Uint8Array(16).fill(state), ...more };
}

const evidence = (...states: readonly (number | undefined)[]): Map<bigint, Fingerprint> =>
  new Map(
    states.flatMap((state, at) =>
      state === undefined ? [] : [[BigInt(at + 1), fingerprint(state)] as const],
    ),
  );

test.each<[string, (number | undefined)[], readonly bigint[] | undefined]>([
  ["one of three differs", [1, 1, 2], [3n]],
  ["the asking one differs", [2, 1, 1], [1n]],
  ["two that agree are enough of three", [1, undefined, 1], []],
  ["one of two answers: a half is no majority", [1, 2], undefined],
  ["one against one, the third is silent", [1, 2, undefined], undefined],
  ["of four, two against two", [1, 1, 2, 2], undefined],
  ["of five, three agree and two differ each in its own way", [1, 2, 1, 3, 1], [2n, 4n]],
  ["of five, two agree and three are silent", [1, 1, undefined, undefined, undefined], undefined],
  ["nobody has anything to say", [undefined, undefined], undefined],
  ["a voter alone is right", [5], []],
])("%s", (_name, states, suspects) => {
  const voters = states.map((_state, at) => BigInt(at + 1));
  expect(judge(voters, evidence(...states))?.suspects).toEqual(suspects);
});

test("a learner has no voice, but can be wrong", () => {
  const all = evidence(1, 1, 2, 2, 2);
  const verdict = judge([1n, 2n, 3n], all);
  expect(verdict?.suspects).toEqual([3n, 4n, 5n]);
});

test.each<[string, Partial<Fingerprint>]>([
  ["rows", { rows: new Uint8Array(16).fill(3) }],
  [
    "one byte of the rows",
    { rows: Uint8Array.from({ length: 16 }, (_, at) => (at === 15 ? 0 : 1)) },
  ],
  ["revision", { revision: 5 }],
  ["compact revision", { compactRevision: 2 }],
  ["log", { logChain: 8 }],
])("states that differ in %s are different", (_name, difference) => {
  const all = new Map([1n, 2n, 3n].map((id) => [id, fingerprint(1, id === 2n ? difference : {})]));
  expect(judge([1n, 2n, 3n], all)?.suspects).toEqual([2n]);
});

test("never a minority, never without a strict majority, whatever is answered", () => {
  const answers = fc.array(fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }), {
    minLength: 1,
    maxLength: 7,
  });
  fc.assert(
    fc.property(answers, (states) => {
      const voters = states.map((_state, at) => BigInt(at + 1));
      const verdict = judge(voters, evidence(...states));
      const counts = [1, 2, 3].map((state) => states.filter((other) => other === state).length);
      const most = Math.max(...counts);
      expect(verdict !== undefined).toBe(most * 2 > states.length);
      if (verdict === undefined) return;
      const right = counts.indexOf(most) + 1;
      const wrong = voters.filter((_id, at) => states[at] !== undefined && states[at] !== right);
      expect(verdict.suspects).toEqual(wrong);
    }),
  );
});
