/**
 * Measures how long a kind of work takes: a histogram, a count of what took too long, and a log
 * line for it. Slow operations often come many at a time, so the log has at most one line of a kind
 * in ten seconds.
 */
import { doublingBounds, Histogram } from "../base/histogram.js";
import type { HistogramSample, MetricSample } from "./sample.js";

const tellEveryMs = 10_000;
/** Seconds: 1 ms doubled thirteen times, as etcd has them for its disk. */
const bounds = doublingBounds(0.001, 14);

export interface DurationsParts {
  /** The name of the histogram, which is in seconds. */
  readonly name: string;
  readonly help: string;
  /** The name of the counter of slow operations. */
  readonly slowName: string;
  readonly slowHelp: string;
  readonly slowMs: number;
  readonly message: string;
  now(): number;
  log(level: "warn", message: string, fields: Readonly<Record<string, unknown>>): void;
}

export class Durations {
  readonly #parts: DurationsParts;
  readonly #histogram = new Histogram(bounds);
  #slow = 0;
  #toldMs = Number.NEGATIVE_INFINITY;
  #untold = 0;

  constructor(parts: DurationsParts) {
    this.#parts = parts;
  }

  /** Call when the work has ended. `fields` are for the log line. */
  took(ms: number, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#histogram.observe(ms / 1_000);
    if (ms > this.#parts.slowMs) this.#tellSlow(ms, fields);
  }

  samples(): readonly (MetricSample | HistogramSample)[] {
    const { name, help, slowName, slowHelp } = this.#parts;
    return [
      {
        ...{ name, type: "histogram", help },
        ...this.#histogram.values(),
      },
      { name: slowName, type: "counter", help: slowHelp, value: this.#slow },
    ];
  }

  #tellSlow(ms: number, fields: Readonly<Record<string, unknown>>): void {
    this.#slow++;
    const { slowMs, message, now, log } = this.#parts;
    const nowMs = now();
    if (nowMs - this.#toldMs < tellEveryMs) {
      this.#untold++;
      return;
    }
    log("warn", message, {
      took: `${Math.round(ms)}ms`,
      "expected-duration": `${slowMs}ms`,
      ...fields,
      ...(this.#untold === 0 ? {} : { "more-since-last-time": this.#untold }),
    });
    this.#toldMs = nowMs;
    this.#untold = 0;
  }
}
