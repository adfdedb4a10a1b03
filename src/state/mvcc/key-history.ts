/**
 * The revisions of one key, ascending. The newest is stored in the object itself, because most keys
 * have no other. A tombstone ends one life of the key, and the next put begins another.
 *
 * A place is a revision's position, counted from the oldest that compaction has left. Places stay
 * valid until the next change of the history.
 */
export class KeyHistory {
  /** The create revision of the current life. It and the version are 0 while the key is deleted. */
  createRevision = 0;
  version = 0;
  /** The newest revision; 0: none at all. */
  #main = 0;
  /**
   * The sub revision of the newest revision. A tombstone's is stored as its complement, which is
   * negative.
   */
  #sub = 0;
  /** The older revisions: main, sub, main, sub, ... ascending. */
  #older: number[] | undefined;

  isAlive(): boolean {
    return this.version > 0;
  }

  isEmpty(): boolean {
    return this.#main === 0;
  }

  /** The number of places. */
  get count(): number {
    if (this.#main === 0) return 0;
    return this.#older === undefined ? 1 : (this.#older.length >> 1) + 1;
  }

  put(main: number, sub: number): void {
    this.#push(main, sub);
    if (this.version === 0) this.createRevision = main;
    this.version++;
  }

  delete(main: number, sub: number): void {
    this.#push(main, ~sub);
    this.createRevision = 0;
    this.version = 0;
  }

  /** Forgets the oldest `count` places. */
  dropFirst(count: number): void {
    if (count >= this.count) {
      this.#main = 0;
      this.#older = undefined;
    } else if (count > 0) {
      const older = this.#older as number[];
      // A fresh array: the old one would keep as much memory as it had at its longest.
      this.#older = older.length === 2 * count ? undefined : older.slice(2 * count);
    }
  }

  main(place: number): number {
    const older = this.#older;
    if (older === undefined || 2 * place === older.length) return this.#main;
    return older[2 * place] as number;
  }

  sub(place: number): number {
    const sub = this.#storedSub(place);
    return sub < 0 ? ~sub : sub;
  }

  isTombstone(place: number): boolean {
    return this.#storedSub(place) < 0;
  }

  /** Place of the newest revision <= `main`, or -1. */
  placeAt(main: number): number {
    let high = this.count - 1;
    if (high < 0 || this.#main <= main) return high;
    const older = this.#older;
    if (older === undefined) return -1;
    let low = 0;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((older[2 * middle] as number) <= main) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** The place of the version that readers at `main` see. -1: there is none, or it is deleted. */
  liveAt(main: number): number {
    const place = this.placeAt(main);
    return place >= 0 && this.isTombstone(place) ? -1 : place;
  }

  #storedSub(place: number): number {
    const older = this.#older;
    if (older === undefined || 2 * place === older.length) return this.#sub;
    return older[2 * place + 1] as number;
  }

  #push(main: number, sub: number): void {
    if (this.#main !== 0) {
      if (this.#older === undefined) this.#older = [this.#main, this.#sub];
      else this.#older.push(this.#main, this.#sub);
    }
    this.#main = main;
    this.#sub = sub;
  }
}
