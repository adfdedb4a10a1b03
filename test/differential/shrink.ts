/**
 * Makes a failing sequence short: cuts what follows the failure, then takes out ever smaller chunks
 * while it still fails (delta debugging). Stops at a time limit with the best found so far.
 */
export async function shrink<T>(
  failing: readonly T[],
  options: {
    /** Index of the failing element, or undefined when the sequence passes. */
    readonly failsAt: (candidate: readonly T[]) => Promise<number | undefined>;
    readonly limitMs: number;
  },
): Promise<readonly T[]> {
  const deadline = Date.now() + options.limitMs;
  let best = failing;
  let chunk = Math.ceil(best.length / 2);
  while (chunk >= 1 && best.length > 1) {
    let hasShrunk = false;
    for (let from = 0; from < best.length; ) {
      if (Date.now() > deadline) return best;
      const candidate = [...best.slice(0, from), ...best.slice(from + chunk)];
      const at = candidate.length === 0 ? undefined : await options.failsAt(candidate);
      if (at === undefined) {
        from += chunk;
      } else {
        best = candidate.slice(0, at + 1);
        hasShrunk = true;
      }
    }
    if (chunk === 1 && !hasShrunk) return best;
    chunk = chunk === 1 ? 1 : Math.ceil(chunk / 2);
  }
  return best;
}
