/**
 * Header blocks of gRPC requests (RFC 7541). Each field goes into the dynamic table when it is first
 * sent and costs a byte from then on, as with the clients that are in use.
 */

const staticTableEntries = 61;
/** Two entries of the static table: ":method: POST" and ":scheme: http". */
const postAndHttp = Buffer.from([0x83, 0x86]);
/** Names of the static table (RFC 7541, appendix A). */
const nameIndexes = new Map([
  [":authority", 1],
  [":path", 4],
  ["content-type", 31],
  ["user-agent", 58],
]);

export class RequestHeads {
  readonly #common: readonly (readonly [string, string])[];
  /** Place in the order of insertion, by name and value. */
  readonly #inserted = new Map<string, number>();
  /** Blocks of indexes alone, by path; valid until the next insertion. */
  readonly #known = new Map<string, Buffer>();

  constructor(authority: string) {
    this.#common = [
      [":authority", authority],
      ["content-type", "application/grpc"],
      ["te", "trailers"],
      ["user-agent", "lockstep-bench"],
    ];
  }

  block(path: string): Buffer {
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    const before = this.#inserted.size;
    const fields = [[":path", path] as const, ...this.#common];
    const parts = fields.map(([name, value]) => this.#field(name, value));
    const block = Buffer.concat([postAndHttp, ...parts]);
    if (this.#inserted.size === before) this.#known.set(path, block);
    else this.#known.clear();
    return block;
  }

  #field(name: string, value: string): Buffer {
    const key = `${name} ${value}`;
    const place = this.#inserted.get(key);
    if (place !== undefined) {
      return Buffer.from([0x80 | (staticTableEntries + this.#inserted.size - place)]);
    }
    this.#inserted.set(key, this.#inserted.size);
    const index = nameIndexes.get(name);
    const head = index === undefined ? [0x40, name.length, ...Buffer.from(name)] : [0x40 | index];
    return Buffer.from([...head, value.length, ...Buffer.from(value)]);
  }
}
