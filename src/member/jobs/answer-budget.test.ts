import { expect, test } from "vitest";
import { BusyClock } from "../../integrity/scrub/scrub.fixture.js";
import { AnswerBudget, type HeldAnswer } from "./answer-budget.js";

function scene() {
  const clock = new BusyClock();
  const budget = new AnswerBudget(clock, { bytesMax: 100, waitMs: 5_000, unreadMs: 20_000 });
  const told: string[] = [];
  const open = (name: string): HeldAnswer =>
    budget.open({
      wake: () => told.push(`wake ${name}`),
      end: (reason) => told.push(`${name} ${reason.reason}`),
    });
  return { clock, budget, told, open };
}

test("beyond the budget only the oldest growing answer goes on; the others when memory is free", () => {
  const { budget, told, open } = scene();
  const [first, second] = [open("a"), open("b")];
  expect([first.grow(60), second.grow(60)]).toEqual([true, false]);
  expect(first.grow(90)).toBe(true);
  expect(budget.bytes).toBe(150);
  first.complete();
  expect(second.grow(60)).toBe(false);
  first.sent(80);
  expect(told).toEqual(["wake b"]);
  expect(second.grow(60)).toBe(true);
  first.close();
  second.close();
  expect(budget.bytes).toBe(0);
});

test("an answer that finds no memory for too long is refused, and one that nobody reads ends", () => {
  const { clock, budget, told, open } = scene();
  const [unread, late] = [open("unread"), open("late")];
  unread.grow(99);
  unread.complete();
  expect(late.grow(50)).toBe(false);
  clock.runTo(6_000);
  expect(told).toEqual(["late answersTooLarge"]);
  clock.runTo(19_000);
  unread.sent(1);
  clock.runTo(38_000);
  expect(told).toHaveLength(1);
  clock.runTo(41_000);
  expect(told).toEqual(["late answersTooLarge", "unread answerUnread"]);
  expect(budget.bytes).toBe(0);
  expect(clock.step()).toBe(false);
});
