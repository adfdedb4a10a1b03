import { expect, test } from "vitest";
import { BusyClock } from "../integrity/scrub/scrub.fixture.js";
import { background, type JobClient, Jobs, type SlicedWork } from "./jobs.js";

/** Work of so many steps, each of which takes `stepMs`; notes each step. */
function scene(turnMs: number, stepMs: number) {
  const clock = new BusyClock();
  const jobs = new Jobs(clock, { stepUnits: 10, turnMs });
  const steps: string[] = [];
  const work = (name: string, count: number, told: "wait" | "more" = "more"): SlicedWork => {
    let left = count;
    return {
      step: () => {
        steps.push(name);
        clock.work(stepMs);
        return --left === 0 ? "over" : told;
      },
    };
  };
  const start = (name: string, count: number, client: JobClient) =>
    jobs.start(work(name, count), client);
  return { clock, jobs, steps, work, start };
}

test("a turn ends after its time, and other events come before the next", () => {
  const { clock, jobs, steps, start } = scene(4, 1);
  start("a", 10, {});
  expect(steps).toEqual([]);
  clock.step();
  expect(steps).toHaveLength(4);
  clock.defer(() => steps.push("other"));
  // The next turn was asked for first, so it comes first; then the other event; then the last turn.
  clock.step();
  clock.step();
  clock.step();
  expect(steps.join("")).toBe("aaaaaaaaotheraa");
  expect(jobs.open).toBe(0);
  expect(clock.step()).toBe(false);
});

test("clients take turns, however many jobs one of them has", () => {
  const { clock, steps, start } = scene(0, 1);
  const [one, other] = [{}, {}];
  for (const name of ["a", "b", "c"]) start(name, 3, one);
  start("x", 3, other);
  while (clock.step());
  const place = (name: string): number => steps.lastIndexOf(name);
  expect(steps.slice(0, 6)).toEqual(["a", "x", "b", "x", "c", "x"]);
  expect(place("x")).toBeLessThan(place("a"));
});

test("the member's own work gets every fourth turn beside clients, and all of them alone", () => {
  const { clock, steps, start } = scene(0, 1);
  start("own", 6, background);
  start("client", 12, {});
  while (clock.step());
  expect(steps.filter((_, at) => at < 16 && steps[at] === "own")).toHaveLength(4);
  expect(steps.slice(16)).toEqual(["own", "own"]);
});

test("a job that waits takes no turn until it is woken; a canceled one never again", () => {
  const { clock, jobs, steps, work } = scene(0, 1);
  const waiting = jobs.start(work("w", 3, "wait"), {});
  const canceled = jobs.start(work("c", 3), {});
  clock.step();
  canceled.cancel();
  while (clock.step());
  expect(steps).toEqual(["w"]);
  waiting.wake();
  waiting.wake();
  while (clock.step());
  expect(steps).toEqual(["w", "w"]);
  waiting.cancel();
  waiting.wake();
  expect(clock.step()).toBe(false);
  expect(jobs.open).toBe(0);
});
