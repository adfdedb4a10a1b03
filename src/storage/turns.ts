/**
 * Long work in turns of its own, where there is no member yet whose jobs (jobs.ts) could divide it: at a
 * start, and for a state that is not in use.
 */
import type { Clock } from "../platform/clock.js";
import { Work } from "../state/work.js";

/** Units of state/work.ts between two looks at the clock. */
const sliceUnits = 200;
/** A turn ends after so many slices, or after so many milliseconds, whichever comes first. */
const slicesMax = 5;
const turnMs = 3;

/**
 * Begins at once. Calls `done` once, possibly inside this call, with the result or with what a step
 * has thrown; not at all once `isStopped` is true. The steps' `finally` blocks run in any case.
 */
export function runInTurns<T>(
  begin: (work: Work) => Generator<undefined, T>,
  parts: { readonly clock: Pick<Clock, "now" | "defer">; isStopped?(): boolean },
  done: (result: T | Error) => void,
): void {
  const { clock } = parts;
  const work = new Work(sliceUnits);
  const steps = begin(work);
  const turn = (): void => {
    if (parts.isStopped?.() === true) {
      // Lets the steps give back what they hold.
      steps.return(undefined as never);
      return;
    }
    const result = slices(steps, work, clock);
    if (result === undefined) clock.defer(turn);
    else if ("error" in result) done(result.error);
    else done(result.value);
  };
  turn();
}

/** One turn. Undefined: there is more to do. */
function slices<T>(
  steps: Generator<undefined, T>,
  work: Work,
  clock: Pick<Clock, "now">,
): { readonly value: T } | { readonly error: Error } | undefined {
  const untilMs = clock.now() + turnMs;
  try {
    for (let slice = 0; slice < slicesMax; slice++) {
      work.refill(sliceUnits);
      const step = steps.next();
      if (step.done === true) return { value: step.value };
      if (clock.now() >= untilMs) return undefined;
    }
    return undefined;
  } catch (error) {
    return { error: error as Error };
  }
}
