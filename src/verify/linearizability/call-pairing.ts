/**
 * Makes calls of the events of a history: each process has at most one open call. The order of
 * events is the order of time; the number of an event, from 1, is its time.
 */
import { HistoryFormatError } from "../history/history-format-error.js";
import type { ModelCall } from "./model.js";

/** A call with its line in the text. */
export interface ReadCall<Input, Output> extends ModelCall<Input, Output> {
  /** Of the event that begins it, from 1. */
  readonly line: number;
}

interface Open<Input> {
  readonly input: Input;
  readonly line: number;
  readonly callAt: number;
}

export class CallPairing<Input, Output> {
  readonly #calls: ReadCall<Input, Output>[] = [];
  #events = 0;
  readonly #open = new Map<number, Open<Input>>();
  readonly #isRead: (input: Input) => boolean;

  /** @param isRead calls without effect: calls without an outcome are left out if they are reads */
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
    this.#open.set(process, { input, line, callAt: ++this.#events });
  }

  /** The call that the process waits for. @throws HistoryFormatError if it waits for none */
  inputOf(process: number, line: number): Input {
    const open = this.#open.get(process);
    if (open === undefined) {
      throw new HistoryFormatError(line, `process ${process} returns, but has no open call`);
    }
    return open.input;
  }

  returned(process: number, output: Output, line: number): void {
    this.#close(process, line, { output, returnAt: ++this.#events });
  }

  /** The call did not happen. */
  failed(process: number, line: number): void {
    this.inputOf(process, line);
    this.#open.delete(process);
  }

  /** The outcome is unknown: the call may have happened or may happen later. */
  lost(process: number, line: number): void {
    if (this.#isRead(this.inputOf(process, line))) this.#open.delete(process);
    else this.#close(process, line, { output: undefined, returnAt: Number.POSITIVE_INFINITY });
  }

  /** All calls, in the order in which they began; open ones have no outcome. */
  end(lastLine: number): readonly ReadCall<Input, Output>[] {
    for (const process of [...this.#open.keys()]) this.lost(process, lastLine);
    return this.#calls.sort((a, b) => a.callAt - b.callAt);
  }

  #close(
    process: number,
    line: number,
    end: Pick<ModelCall<Input, Output>, "output" | "returnAt">,
  ): void {
    this.inputOf(process, line);
    this.#calls.push({ client: process, ...(this.#open.get(process) as Open<Input>), ...end });
    this.#open.delete(process);
  }
}
