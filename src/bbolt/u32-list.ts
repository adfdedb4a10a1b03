/** A growing list of numbers below 2^32, four bytes each. */
export class U32List {
  #numbers = new Uint32Array(64);
  length = 0;

  push(value: number): void {
    if (this.length === this.#numbers.length) {
      const larger = new Uint32Array(this.length * 2);
      larger.set(this.#numbers);
      this.#numbers = larger;
    }
    this.#numbers[this.length++] = value;
  }

  at(place: number): number {
    return this.#numbers[place] as number;
  }
}

/** A growing list of byte strings, packed into one array. */
export class KeyList {
  #bytes = new Uint8Array(1024);
  readonly #ends = new U32List();

  push(key: Uint8Array): void {
    const start = this.#start(this.#ends.length);
    const end = start + key.length;
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(end * 2);
      larger.set(this.#bytes.subarray(0, start));
      this.#bytes = larger;
    }
    this.#bytes.set(key, start);
    this.#ends.push(end);
  }

  at(place: number): Uint8Array {
    return this.#bytes.subarray(this.#start(place), this.#ends.at(place));
  }

  #start(place: number): number {
    return place === 0 ? 0 : this.#ends.at(place - 1);
  }
}
