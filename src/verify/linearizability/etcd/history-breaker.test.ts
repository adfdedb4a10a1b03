import { expect, test } from "vitest";
import { Dice } from "../../sim/plan/dice.js";
import { bruteForce } from "./fixtures/brute-force.fixture.js";
import { operationBreakers, watchBreakers } from "./fixtures/history-breaker.fixture.js";
import { generateEtcdHistory } from "./fixtures/history-generator.fixture.js";

const small = { operations: 7, clients: 3, keys: 2, unknownPerMille: 150 };
const watched = { operations: 150, clients: 4, keys: 4, unknownPerMille: 20, watches: 4 };

test.each(Object.entries(operationBreakers))("no order explains: %s", (_, breaker) => {
  let broken = 0;
  for (let seed = 0; seed < 400 && broken < 40; seed++) {
    const { history } = generateEtcdHistory({ ...small, seed });
    const lie = breaker(history, new Dice(seed).sequence());
    if (lie === undefined) continue;
    broken++;
    expect(bruteForce(lie.operations), `seed ${seed}`).toBeUndefined();
  }
  expect(broken).toBeGreaterThan(5);
});

test.each(Object.entries(watchBreakers))("only one watch changes: %s", (_, breaker) => {
  let broken = 0;
  for (let seed = 0; seed < 20; seed++) {
    const { history } = generateEtcdHistory({ ...watched, seed });
    const lie = breaker(history, new Dice(seed).sequence());
    if (lie === undefined) continue;
    broken++;
    expect(lie.operations).toEqual(history.operations);
    expect(lie.watches.filter((watch, at) => watch !== history.watches[at])).toHaveLength(1);
  }
  expect(broken).toBeGreaterThan(5);
});
