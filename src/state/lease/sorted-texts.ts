/**
 * A set of texts in ascending order, for very many of them: in blocks of a few hundred, so that a
 * change moves a few hundred texts at most, and a search looks at some twenty.
 */
const blockMax = 512;

export class SortedTexts implements Iterable<string> {
  /** None is empty. */
  readonly #blocks: string[][] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The texts in order, as they are held: valid until the next change. */
  get blocks(): readonly (readonly string[])[] {
    return this.#blocks;
  }

  *[Symbol.iterator](): Generator<string, void> {
    for (const block of this.#blocks) yield* block;
  }

  /** Adds a text; one that is there already stays. */
  add(text: string): void {
    const place = Math.max(0, this.#blockOf(text));
    const block = this.#blocks[place];
    if (block === undefined) {
      this.#blocks.push([text]);
      this.#size++;
      return;
    }
    const at = firstFrom(block, text);
    if (block[at] === text) return;
    block.splice(at, 0, text);
    this.#size++;
    if (block.length <= blockMax) return;
    // Texts that come in ascending order leave full blocks behind.
    const isLast = at === block.length - 1 && place === this.#blocks.length - 1;
    this.#blocks.splice(place + 1, 0, block.splice(isLast ? at : blockMax / 2));
  }

  /** Returns true if it was there. */
  delete(text: string): boolean {
    const place = this.#blockOf(text);
    const block = this.#blocks[place];
    if (block === undefined) return false;
    const at = firstFrom(block, text);
    if (block[at] !== text) return false;
    block.splice(at, 1);
    this.#size--;
    if (block.length === 0) this.#blocks.splice(place, 1);
    return true;
  }

  /** The first text that is not below this one. */
  firstFrom(text: string): string | undefined {
    const place = Math.max(0, this.#blockOf(text));
    const block = this.#blocks[place];
    if (block === undefined) return undefined;
    return block[firstFrom(block, text)] ?? this.#blocks[place + 1]?.[0];
  }

  /** The last block that does not begin above the text; -1: all do. */
  #blockOf(text: string): number {
    let low = 0;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#blocks[middle]?.[0] as string) <= text) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

/** The place of the first text of a block that is not below this one. */
function firstFrom(block: readonly string[], text: string): number {
  let low = 0;
  let high = block.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((block[middle] as string) < text) low = middle + 1;
    else high = middle;
  }
  return low;
}
