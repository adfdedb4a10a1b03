/** Keeps the first `max` of many items, by `compare`. The last of those kept is at the top. */
export class BoundedHeap<T> {
  readonly #max: number;
  readonly #compare: (a: T, b: T) => number;
  readonly #heap: T[] = [];

  constructor(max: number, compare: (a: T, b: T) => number) {
    this.#max = max;
    this.#compare = compare;
  }

  /**
   * Adds an item. Returns the item that is now beyond the first `max`, if there is one: maybe
   * `item` itself.
   */
  push(item: T): T | undefined {
    const heap = this.#heap;
    if (heap.length < this.#max) {
      heap.push(item);
      this.#rise(heap.length - 1);
      return undefined;
    }
    const last = heap[0] as T;
    if (this.#compare(item, last) >= 0) return item;
    heap[0] = item;
    this.#sink();
    return last;
  }

  /** The items that are kept, in no particular order. */
  items(): T[] {
    return [...this.#heap];
  }

  #rise(from: number): void {
    const heap = this.#heap;
    for (let at = from; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (this.#compare(heap[at] as T, heap[parent] as T) <= 0) return;
      [heap[at], heap[parent]] = [heap[parent] as T, heap[at] as T];
      at = parent;
    }
  }

  #sink(): void {
    const heap = this.#heap;
    for (let at = 0; ; ) {
      let child = 2 * at + 1;
      if (child >= heap.length) return;
      const right = heap[child + 1];
      if (right !== undefined && this.#compare(right, heap[child] as T) > 0) child++;
      if (this.#compare(heap[child] as T, heap[at] as T) <= 0) return;
      [heap[at], heap[child]] = [heap[child] as T, heap[at] as T];
      at = child;
    }
  }
}
