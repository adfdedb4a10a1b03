/**
 * Makes calls of the events of a history: each process has at most one open call. The position of
 * an event is its line, so the order of lines is the order of time.
 */
import { HistoryFormatError } from "../history/history-format-error.js";
import type { Call } from "./model.js";

interface Open<Input> {
  readonly input: Input;
  readonly line: number;
}

export class CallPairing<Input, Output> {
  readonly #calls: Call<Input, Output>[] = [];
  readonly #open = new Map<number, Open<Input>>();
  readonly #isRead: (input: Input) => boolean;

  /** @param isRead calls that have no effect: without an outcome they are left out */
  constructor(isRead: (input: Input) => boolean) {
    this.#isRead = isRead;
  }

  invoke(process: number, input: Input, line: number): void {
    const open = this.#open.get(process);
    if (open !== undefined) {
      throw new HistoryFormatError(
        line,
        `process ${process} calls while its call of line ${open.line} is open`,
      );
    }
    this.#open.set(process, { input, line });
  }

  /** What the process is waiting for. @throws HistoryFormatError if for nothing */
  inputOf(process: number, line: number): Input {
    const open = this.#open.get(process);
    if (open === undefined) {
      throw new HistoryFormatError(line, `process ${process} returns, but has no open call`);
    }
    return open.input;
  }

  returned(process: number, output: Output, line: number): void {
    const input = this.inputOf(process, line);
    const callAt = (this.#open.get(process) as Open<Input>).line;
    this.#open.delete(process);
    this.#calls.push({ client: process, input, output, callAt, returnAt: line });
  }

  /** It did not happen. */
  failed(process: number, line: number): void {
    this.inputOf(process, line);
    this.#open.delete(process);
  }

  /** Nobody knows whether it happened or will. */
  lost(process: number, line: number): void {
    const input = this.inputOf(process, line);
    const callAt = (this.#open.get(process) as Open<Input>).line;
    this.#open.delete(process);
    if (this.#isRead(input)) return;
    const returnAt = Number.POSITIVE_INFINITY;
    this.#calls.push({ client: process, input, output: undefined, callAt, returnAt });
  }

  /** All calls, in the order of their call; open ones end without an outcome. */
  end(lastLine: number): readonly Call<Input, Output>[] {
    for (const process of [...this.#open.keys()]) this.lost(process, lastLine);
    return this.#calls.sort((a, b) => a.callAt - b.callAt);
  }
}
