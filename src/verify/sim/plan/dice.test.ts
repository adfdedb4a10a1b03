import { expect, test } from "vitest";
import { Dice } from "./dice.js";

test("a draw depends on its address alone, not on what was drawn before", () => {
  const once = new Dice(7).fork("a").u32(1, 2, 3);
  const dice = new Dice(7);
  for (let draw = 0; draw < 100; draw++) dice.fork("b").u32(draw);
  expect(dice.fork("a").u32(1, 2, 3)).toBe(once);
});

test("seeds, labels and each number of the address matter", () => {
  const draws = [
    new Dice(1).u32(),
    new Dice(2).u32(),
    new Dice(2 ** 40 + 1).u32(),
    new Dice(1).fork("x").u32(),
    new Dice(1).fork("y").u32(),
    new Dice(1).fork(3).u32(),
    new Dice(1).u32(1),
    new Dice(1).u32(0, 1),
    new Dice(1).u32(0, 0, 1),
  ];
  expect(new Set(draws).size).toBe(draws.length);
});

test("draws are uniform, also of neighbouring addresses and seeds", () => {
  const counts = new Array<number>(16).fill(0);
  let pairs = 0;
  for (let seed = 0; seed < 400; seed++) {
    const dice = new Dice(seed);
    for (let at = 0; at < 400; at++) {
      const drawn = dice.int(16, at);
      counts[drawn] = (counts[drawn] as number) + 1;
      if (drawn === dice.int(16, at + 1)) pairs++;
      if (drawn === new Dice(seed + 1).int(16, at)) pairs++;
    }
  }
  // 160,000 draws: five standard deviations of one count are about 490, of the pairs about 690.
  for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(490);
  expect(Math.abs(pairs - 20_000)).toBeLessThan(690);
});

test("a sequence repeats itself from the same address, and its forks are independent", () => {
  const draws = (): number[] => {
    const rng = new Dice(9).fork("node").sequence();
    return [rng.int(1000), rng.int(1000), rng.fork("raft").int(1000), rng.int(1000)];
  };
  expect(draws()).toEqual(draws());
  expect(() => new Dice(1).sequence().fork("")).toThrow();
});
