/** Bounds the rate at which repeated facts are told. The caller bounds the number of keys. */
export class Repeats {
  readonly #everyMs: number;
  readonly #told = new Map<string, { readonly atMs: number; held: number }>();

  /** @param everyMs milliseconds between two tellings of one key */
  constructor(everyMs: number) {
    this.#everyMs = everyMs;
  }

  /**
   * Call when the fact has occurred. Undefined: do not tell it now. Otherwise tell it; the number
   * says how many were kept back since it was told last.
   */
  tell(key: string, nowMs: number): number | undefined {
    const told = this.#told.get(key);
    if (told !== undefined && nowMs - told.atMs < this.#everyMs) {
      told.held++;
      return undefined;
    }
    this.#told.set(key, { atMs: nowMs, held: 0 });
    return told?.held ?? 0;
  }
}
