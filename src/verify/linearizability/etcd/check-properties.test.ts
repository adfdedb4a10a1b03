import { describe, expect, test } from "vitest";
import { Dice } from "../../sim/plan/dice.js";
import { checkEtcdHistory } from "./check.js";
import { bruteForce } from "./fixtures/brute-force.fixture.js";
import { operationBreakers } from "./fixtures/history-breaker.fixture.js";
import {
  type GeneratedHistory,
  generateEtcdHistory,
} from "./fixtures/history-generator.fixture.js";
import { Replay } from "./replay.js";

const small = { operations: 7, clients: 3, keys: 2, unknownPerMille: 150 };
const middle = { operations: 400, clients: 6, keys: 6, unknownPerMille: 20, watches: 4 };

function groundOf({ ground }: GeneratedHistory): Replay {
  const replay = new Replay();
  for (const request of ground) replay.append(request);
  return replay;
}

describe("true histories are accepted", () => {
  test.each(["alone", "with the ground"])("%s", (how) => {
    for (let seed = 0; seed < 60; seed++) {
      const generated = generateEtcdHistory({ ...middle, seed });
      const options = how === "alone" ? {} : { ground: groundOf(generated) };
      const verdict = checkEtcdHistory(generated.history, options);
      expect(verdict, `seed ${seed}`).toMatchObject({ verdict: "linearizable" });
    }
  });
});

describe("lies about operations are rejected", () => {
  test.each(Object.entries(operationBreakers))("%s", (_, breaker) => {
    let broken = 0;
    for (let seed = 0; seed < 20; seed++) {
      const generated = generateEtcdHistory({ ...middle, seed });
      const lie = breaker(generated.history, new Dice(seed).sequence());
      if (lie === undefined) continue;
      broken++;
      expect(checkEtcdHistory(lie), `seed ${seed}, alone`).toMatchObject({ verdict: "not" });
      const ground = groundOf(generated);
      expect(checkEtcdHistory(lie, { ground }), `seed ${seed}`).toMatchObject({ verdict: "not" });
    }
    expect(broken).toBeGreaterThan(5);
  });
});

test("small histories, true and false, get the verdict of the brute force", () => {
  const breakers = Object.values(operationBreakers);
  for (let seed = 0; seed < 1500; seed++) {
    const { history } = generateEtcdHistory({ ...small, seed });
    const breaker = breakers[seed % breakers.length];
    for (const one of [
      history,
      breaker?.(history, new Dice(seed).sequence()),
      blurred(history, seed),
    ]) {
      if (one === undefined) continue;
      const expected = bruteForce(one.operations) === undefined ? "not" : "linearizable";
      expect(checkEtcdHistory(one), `seed ${seed}`).toMatchObject({ verdict: expected });
    }
  }
});

/** Two answers change places: sometimes that makes them wrong, sometimes they stay right. */
function blurred(history: GeneratedHistory["history"], seed: number): GeneratedHistory["history"] {
  const rng = new Dice(seed).sequence();
  const { operations } = history;
  const [a, b] = [operations[rng.int(operations.length)], operations[rng.int(operations.length)]];
  if (a === undefined || b === undefined || a.request.kind !== b.request.kind) return history;
  const swapped = operations.map((one) => {
    if (one === a) return { ...a, outcome: b.outcome };
    return one === b ? { ...b, outcome: a.outcome } : one;
  });
  return { ...history, operations: swapped };
}
