/**
 * The visible part of the time line. Its source text goes into the page, so it may use only names
 * that every JavaScript engine has.
 */
export class TimeWindow {
  fromUs: number;
  toUs: number;
  readonly #startUs: number;
  readonly #endUs: number;

  /** Never leaves [startUs, endUs] by more than a margin of 2 %. */
  constructor(startUs: number, endUs: number) {
    const margin = Math.max(10, (endUs - startUs) * 0.02);
    this.#startUs = startUs - margin;
    this.#endUs = endUs + margin;
    this.fromUs = this.#startUs;
    this.toUs = this.#endUs;
  }

  get spanUs(): number {
    return this.toUs - this.fromUs;
  }

  whole(): void {
    this.fromUs = this.#startUs;
    this.toUs = this.#endUs;
  }

  /** A factor below 1 shows less. The time at `fraction` of the width (0 to 1) keeps its place. */
  zoom(factor: number, fraction: number): void {
    const atUs = this.fromUs + this.spanUs * fraction;
    const span = Math.min(this.#endUs - this.#startUs, Math.max(10, this.spanUs * factor));
    this.#set(atUs - span * fraction, atUs + span * (1 - fraction));
  }

  /** Moves by this fraction of the visible part; positive: to later times. */
  pan(fraction: number): void {
    const shift = this.spanUs * fraction;
    this.#set(this.fromUs + shift, this.toUs + shift);
  }

  /** Brings a time into the middle. */
  center(atUs: number, spanUs: number): void {
    this.#set(atUs - spanUs / 2, atUs + spanUs / 2);
  }

  x(atUs: number, width: number): number {
    return ((atUs - this.fromUs) / this.spanUs) * width;
  }

  us(x: number, width: number): number {
    return this.fromUs + (x / width) * this.spanUs;
  }

  /** At most `most` round times in the window, and how to write them. */
  ticks(most: number): { readonly atUs: number; readonly text: string }[] {
    const rough = this.spanUs / Math.max(1, most);
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((n) => n * power).find((size) => size >= rough) ?? power * 10;
    const ticks = [];
    for (let count = Math.ceil(this.fromUs / step); count * step <= this.toUs; count++) {
      ticks.push({ atUs: count * step, text: this.#text(count * step, step) });
    }
    return ticks;
  }

  #text(atUs: number, step: number): string {
    if (step >= 1e5) return `${(atUs / 1e6).toFixed(step >= 1e6 ? 0 : 1)} s`;
    const digits = Math.max(0, Math.min(3, Math.ceil(3 - Math.log10(step))));
    return `${(atUs / 1000).toFixed(digits)} ms`;
  }

  #set(fromUs: number, toUs: number): void {
    const span = Math.min(toUs - fromUs, this.#endUs - this.#startUs);
    this.fromUs = Math.min(Math.max(fromUs, this.#startUs), this.#endUs - span);
    this.toUs = this.fromUs + span;
  }
}
