/** For tests and benchmarks only: what happens next, by time and then by the order of adding. */

interface Entry {
  readonly atUs: number;
  readonly order: number;
  readonly happen: (atUs: number) => void;
}

/** A binary heap in an array. */
export class EventQueue {
  readonly #heap: Entry[] = [];
  #added = 0;

  add(atUs: number, happen: (atUs: number) => void): void {
    const heap = this.#heap;
    const entry = { atUs, order: this.#added++, happen };
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(entry, heap[parent] as Entry)) break;
      heap[at] = heap[parent] as Entry;
      at = parent;
    }
    heap[at] = entry;
  }

  /** Until nothing is left. */
  run(): void {
    for (let entry = this.#take(); entry !== undefined; entry = this.#take()) {
      entry.happen(entry.atUs);
    }
  }

  #take(): Entry | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      const right = heap[child + 1];
      if (right !== undefined && isBefore(right, heap[child] as Entry)) child++;
      if (!isBefore(heap[child] as Entry, last)) break;
      heap[at] = heap[child] as Entry;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.atUs < b.atUs || (a.atUs === b.atUs && a.order < b.order);
}
