/**
 * Hands answers to a client as text, a bounded piece at a time. So a large answer neither fills the
 * buffers of a slow client nor delays others.
 */
import type { Clock } from "../platform/clock.js";
import type { JsonWriter } from "./json-writer.js";

/** The client's side of the output. No function here may throw. */
export interface TextOutput {
  /**
   * Writes a piece of a message. `isLast`: the message ends with it. Returns false if the pump must
   * wait for `drained` before the next piece.
   */
  write(text: string, isLast: boolean): boolean;
  /** Called after the last piece. */
  end(): void;
}

export interface PumpedAnswer {
  readonly before: string;
  readonly json: JsonWriter | undefined;
  readonly after: string;
}

const pieceCharacters = 64 * 1024;
const turnCharacters = 256 * 1024;

export class AnswerPump {
  readonly #output: TextOutput;
  readonly #clock: Clock;
  readonly #onIdle: () => void;
  readonly #queue: PumpedAnswer[] = [];
  #isBegun = false;
  #isBlocked = false;
  #isDeferred = false;
  #isEnding = false;
  #isOver = false;

  /** @param onIdle all is written that was given, and the client reads */
  constructor(output: TextOutput, clock: Clock, onIdle: () => void) {
    this.#output = output;
    this.#clock = clock;
    this.#onIdle = onIdle;
  }

  /**
   * Adds an answer. Returns false if it does not go out at once; `onIdle` is called when it has.
   */
  add(answer: PumpedAnswer): boolean {
    this.#queue.push(answer);
    this.#run();
    return this.#queue.length === 0 && !this.#isBlocked;
  }

  /** Ends the output when all is written. */
  end(): void {
    this.#isEnding = true;
    this.#run();
  }

  /** Call when the client has gone: writes nothing more. */
  stop(): void {
    this.#isOver = true;
    this.#queue.length = 0;
  }

  drained(): void {
    if (!this.#isBlocked) return;
    this.#isBlocked = false;
    this.#run();
    if (this.isIdle) this.#onIdle();
  }

  /** All is written that was given, and the client reads. */
  get isIdle(): boolean {
    return this.#queue.length === 0 && !this.#isBlocked && !this.#isOver;
  }

  #run(): void {
    if (this.#isDeferred || this.#isBlocked || this.#isOver) return;
    let left = turnCharacters;
    for (let answer = this.#queue[0]; answer !== undefined; answer = this.#queue[0]) {
      if (left <= 0) {
        this.#defer();
        return;
      }
      left -= this.#writePiece(answer);
      if (this.#isBlocked) return;
    }
    if (!this.#isEnding) return;
    this.#isOver = true;
    this.#output.end();
  }

  /** @returns characters written */
  #writePiece(answer: PumpedAnswer): number {
    const text = answer.json?.next(pieceCharacters) ?? "";
    const isLast = text.length < pieceCharacters;
    const before = this.#isBegun ? "" : answer.before;
    const piece = before + text + (isLast ? answer.after : "");
    this.#isBegun = !isLast;
    if (isLast) this.#queue.shift();
    if (piece !== "" && !this.#output.write(piece, isLast)) this.#isBlocked = true;
    return piece.length;
  }

  #defer(): void {
    this.#isDeferred = true;
    this.#clock.after(0, () => {
      this.#isDeferred = false;
      this.#run();
      if (this.isIdle) this.#onIdle();
    });
  }
}
