/** Facts that may repeat at any rate, told at a bounded one. The caller bounds the number of keys. */
export class Repeats {
  readonly #everyMs: number;
  readonly #told = new Map<string, { readonly atMs: number; held: number }>();

  /** @param everyMs milliseconds between two tellings of one key */
  constructor(everyMs: number) {
    this.#everyMs = everyMs;
  }

  /** Undefined: keep quiet. Otherwise how many were kept quiet since the last telling. */
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
