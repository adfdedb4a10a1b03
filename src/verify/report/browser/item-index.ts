/**
 * Finds items: the visible ones of a row, the one under the pointer, those that match a filter. Its
 * source text goes into the page, so it must use no name from outside itself.
 */
import type { PageData, PageItem } from "./page-data.js";

export class ItemIndex {
  /** Places in `items`, in the order of time, which never overlap. */
  readonly #bars: number[][];
  readonly #moments: number[][];
  readonly #items: readonly PageItem[];
  readonly #searchable: readonly string[];
  readonly #isShown: Uint8Array;
  /** Of the filter. */
  shown: number;

  constructor({ items, rows }: PageData) {
    this.#items = items;
    this.#bars = rows.map(() => []);
    this.#moments = rows.map(() => []);
    for (const [place, { row, isMoment }] of items.entries()) {
      (isMoment ? this.#moments : this.#bars)[row]?.push(place);
    }
    this.#searchable = items.map(({ details }) => details.replaceAll(": ", ":").toLowerCase());
    this.#isShown = new Uint8Array(items.length).fill(1);
    this.shown = items.length;
  }

  isShown(place: number): boolean {
    return this.#isShown[place] === 1;
  }

  /** All words must occur; inside "quotes" a space is part of the word. */
  filter(text: string): void {
    const words = [...text.toLowerCase().matchAll(/([^\s"]*)"([^"]*)"?|\S+/g)].map(
      ([whole, name, quoted]) =>
        quoted === undefined ? whole : `${name}${quoted}`.replaceAll(": ", ":"),
    );
    this.shown = 0;
    for (const [place, searchable] of this.#searchable.entries()) {
      const isShown = words.every((word) => searchable.includes(word));
      this.#isShown[place] = isShown ? 1 : 0;
      if (isShown) this.shown++;
    }
  }

  /** Intervals and moments of a row that touch [fromUs, toUs], in the order of time. */
  inView(row: number, fromUs: number, toUs: number): { bars: number[]; moments: number[] } {
    return {
      bars: this.#between(this.#bars[row] ?? [], fromUs, toUs),
      moments: this.#between(this.#moments[row] ?? [], fromUs, toUs),
    };
  }

  /** The first item of a row that has an open end and that the filter lets through. */
  firstOpen(row: number): PageItem | undefined {
    for (const place of this.#bars[row] ?? []) {
      const item = this.#items[place];
      if (item?.isOpen === true && this.isShown(place)) return item;
    }
    return undefined;
  }

  /** The item nearest to a time, at most `slackUs` away; moments before the intervals below them. */
  at(row: number, atUs: number, slackUs: number): number | undefined {
    const { bars, moments } = this.inView(row, atUs - slackUs, atUs + slackUs);
    const away = (place: number): number => {
      const { fromUs, toUs } = this.#items[place] as PageItem;
      return Math.max(0, fromUs - atUs, atUs - toUs);
    };
    for (const places of [moments, bars]) {
      const near = places.filter((place) => this.isShown(place));
      near.sort((a, b) => away(a) - away(b));
      if (near[0] !== undefined) return near[0];
    }
    return undefined;
  }

  /** The next shown item after (or before) a time, over all rows. */
  next(atUs: number, isBackwards: boolean): number | undefined {
    let best: number | undefined;
    for (const [place, { fromUs }] of this.#items.entries()) {
      if (!this.isShown(place)) continue;
      if (isBackwards && fromUs < atUs) best = place;
      if (!isBackwards && fromUs > atUs) return place;
    }
    return best;
  }

  #between(places: readonly number[], fromUs: number, toUs: number): number[] {
    let low = 0;
    let high = places.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const { toUs: end } = this.#items[places[middle] as number] as PageItem;
      if (end < fromUs) low = middle + 1;
      else high = middle;
    }
    const found = [];
    for (let at = low; at < places.length; at++) {
      const place = places[at] as number;
      if ((this.#items[place] as PageItem).fromUs > toUs) break;
      found.push(place);
    }
    return found;
  }
}
