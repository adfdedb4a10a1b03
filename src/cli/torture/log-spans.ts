/** Parts of the members' logs, as positions of bytes: from one event to another. */
import { statSync } from "node:fs";

/** `to` undefined: to the end of the log. */
export interface LogSpan {
  readonly from: number;
  to?: number;
}

export class LogSpans {
  readonly #fileOf: (member: string) => string;
  readonly #spans = new Map<string, LogSpan[]>();

  constructor(fileOf: (member: string) => string) {
    this.#fileOf = fileOf;
  }

  /** In their order; they do not overlap. */
  of(member: string): readonly LogSpan[] {
    return this.#spans.get(member) ?? [];
  }

  /** A span begins here. An open one ends. */
  begin(member: string): void {
    this.end(member);
    this.#spans.set(member, [...this.of(member), { from: this.#bytes(member) }]);
  }

  /** Ends the open span, if there is one. */
  end(member: string): void {
    const open = this.#spans.get(member)?.at(-1);
    if (open !== undefined) open.to ??= this.#bytes(member);
  }

  #bytes(member: string): number {
    return statSync(this.#fileOf(member), { throwIfNoEntry: false })?.size ?? 0;
  }
}
