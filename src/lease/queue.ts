/**
 * Lease ids ordered by time: a binary heap without removal. An entry is only a reminder to look at
 * a lease, so renewing a lease costs nothing here. If an entry comes up too early, its taker puts
 * the id back with the later time.
 */
export class LeaseQueue {
  readonly #ids: bigint[] = [];
  /** Milliseconds, parallel to `#ids`. A heap with the earliest time on top. */
  readonly #times: number[] = [];

  get size(): number {
    return this.#ids.length;
  }

  clear(): void {
    this.#ids.length = 0;
    this.#times.length = 0;
  }

  push(id: bigint, timeMs: number): void {
    let at = this.#ids.length;
    this.#ids.push(id);
    this.#times.push(timeMs);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#time(parent) <= timeMs) break;
      this.#swap(at, parent);
      at = parent;
    }
  }

  /** Takes the earliest entry if its time has come. Entries of equal time come in any order. */
  takeDue(nowMs: number): bigint | undefined {
    const id = this.#ids[0];
    if (id === undefined || this.#time(0) > nowMs) return undefined;
    this.#swap(0, this.#ids.length - 1);
    this.#ids.pop();
    this.#times.pop();
    this.#sink();
    return id;
  }

  #sink(): void {
    const size = this.#ids.length;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      if (left >= size) return;
      const right = left + 1;
      const child = right < size && this.#time(right) < this.#time(left) ? right : left;
      if (this.#time(at) <= this.#time(child)) return;
      this.#swap(at, child);
      at = child;
    }
  }

  #time(at: number): number {
    return this.#times[at] as number;
  }

  #swap(a: number, b: number): void {
    const [id, time] = [this.#ids[a] as bigint, this.#time(a)];
    this.#ids[a] = this.#ids[b] as bigint;
    this.#times[a] = this.#time(b);
    this.#ids[b] = id;
    this.#times[b] = time;
  }
}
