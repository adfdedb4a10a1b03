/**
 * The dynamic table (RFC 7541, section 2.3.2): entries in the order in which they came, the oldest
 * are evicted first. A ring, so that nothing is moved.
 */

/** What each entry counts besides its octets (RFC 7541, section 4.1). */
export const fieldOverheadBytes = 32;

export class DynamicTable {
  #names: string[] = [];
  #values: string[] = [];
  /** Where the oldest entry stands in the ring. */
  #oldest = 0;
  #count = 0;
  #bytes = 0;
  #bytesMax: number;
  /** Changes whenever an index may mean something else than before. */
  generation = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get count(): number {
    return this.#count;
  }

  /** `place` 0 is the newest entry; it must be below `count`. */
  name(place: number): string {
    return this.#names[this.#ringAt(place)] as string;
  }

  value(place: number): string {
    return this.#values[this.#ringAt(place)] as string;
  }

  /** An entry larger than the whole table empties it, which is no error (RFC 7541, section 4.4). */
  add(name: string, value: string): void {
    this.generation++;
    const bytes = name.length + value.length + fieldOverheadBytes;
    this.#evictTo(this.#bytesMax - bytes);
    if (bytes > this.#bytesMax) return;
    if (this.#count === this.#names.length) this.#grow();
    const at = (this.#oldest + this.#count) % this.#names.length;
    this.#names[at] = name;
    this.#values[at] = value;
    this.#count++;
    this.#bytes += bytes;
  }

  resize(bytesMax: number): void {
    this.generation++;
    this.#bytesMax = bytesMax;
    this.#evictTo(bytesMax);
  }

  #evictTo(bytes: number): void {
    while (this.#count > 0 && this.#bytes > bytes) {
      const at = this.#oldest;
      const name = this.#names[at] as string;
      const value = this.#values[at] as string;
      this.#bytes -= name.length + value.length + fieldOverheadBytes;
      this.#names[at] = "";
      this.#values[at] = "";
      this.#oldest = (at + 1) % this.#names.length;
      this.#count--;
    }
  }

  #grow(): void {
    const places = Math.max(8, this.#names.length * 2);
    const names: string[] = [];
    const values: string[] = [];
    for (let place = this.#count - 1; place >= 0; place--) {
      names.push(this.name(place));
      values.push(this.value(place));
    }
    while (names.length < places) {
      names.push("");
      values.push("");
    }
    this.#names = names;
    this.#values = values;
    this.#oldest = 0;
  }

  #ringAt(place: number): number {
    return (this.#oldest + this.#count - 1 - place) % this.#names.length;
  }
}
