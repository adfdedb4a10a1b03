/**
 * Handles Ctrl-C and SIGTERM. While members run, a signal ends the run in order, so that no member
 * is left behind. While a history is judged there is nothing to clean up, and the work does not
 * yield: then a signal ends this process at once.
 */
const signals = ["SIGINT", "SIGTERM"] as const;

export class Interrupts {
  isAborted = false;
  readonly #abort = (): void => {
    this.isAborted = true;
  };

  /** From now on a signal is only noted. */
  hold(): void {
    this.release();
    for (const signal of signals) process.on(signal, this.#abort);
  }

  /** From now on a signal ends this process. */
  release(): void {
    for (const signal of signals) process.removeListener(signal, this.#abort);
  }
}
