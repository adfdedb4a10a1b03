/**
 * A live key of a range: what the index knows of it, and its row, which is read only if something
 * needs it. One object serves all keys of a range, one after the other.
 */
import { decodeKeyValue, encodeKeyValue, withoutValue } from "../../wire/key-value.js";
import { noBytes } from "../../wire/protobuf-writer.js";
import type { KvBytes } from "../types.js";
import { type KeyHistory, type KeyText, keyBytes } from "./key-index.js";
import type { KvView } from "./kv-view.js";

export class LiveRow {
  readonly #view: KvView;
  readonly #isOfMany: boolean;
  #key: KeyText = "";
  #history: KeyHistory | undefined;
  #place = 0;
  #row: KvBytes | undefined;

  /** `isOfMany`: the range is not a single key. */
  constructor(view: KvView, isOfMany: boolean) {
    this.#view = view;
    this.#isOfMany = isOfMany;
  }

  at(key: KeyText, history: KeyHistory, place: number): void {
    this.#key = key;
    this.#history = history;
    this.#place = place;
    this.#row = undefined;
  }

  get key(): KeyText {
    return this.#key;
  }

  get modRevision(): number {
    return this.#known.main(this.#place);
  }

  /** The sub revision of the row. */
  get sub(): number {
    return this.#known.sub(this.#place);
  }

  get createRevision(): number {
    return this.#isNewest ? this.#known.createRevision : decodeKeyValue(this.bytes).createRevision;
  }

  get version(): number {
    return this.#isNewest ? this.#known.version : decodeKeyValue(this.bytes).version;
  }

  /** True if the row had to be read. */
  get isRead(): boolean {
    return this.#row !== undefined;
  }

  get bytes(): KvBytes {
    this.#row ??= this.#isOfMany
      ? this.#view.rowAt(this.modRevision, this.sub)
      : this.#view.row(this.#known, this.#place);
    return this.#row;
  }

  /** The row without its value. Only an old version has to be read from the backend for that. */
  get withoutValue(): KvBytes {
    if (!this.#isNewest || this.#row !== undefined) return withoutValue(this.bytes);
    const { createRevision, version } = this.#known;
    return encodeKeyValue({
      key: keyBytes(this.#key),
      createRevision,
      modRevision: this.modRevision,
      version,
      value: noBytes,
      lease: this.#view.leaseOf(this.#key),
    });
  }

  /**
   * True for the key's newest place. The index knows create revision and version of that place
   * only.
   */
  get #isNewest(): boolean {
    return this.#place === this.#known.count - 1;
  }

  get #known(): KeyHistory {
    return this.#history as KeyHistory;
  }
}
