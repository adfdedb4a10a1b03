/**
 * Hands a large answer to the transport, and frees its memory as soon as the client has read it.
 */
import type { MessagePieces } from "../grpc/call.js";
import type { ReadAnswer } from "../member/types.js";

export class AnswerPieces implements MessagePieces {
  readonly length: number;
  #pieces: Uint8Array[];
  readonly #answer: Pick<ReadAnswer<unknown>, "sent" | "close">;
  #at = 0;
  /** Bytes of the part that the transport has taken last and may still hold. */
  #heldBytes = 0;

  constructor(pieces: Uint8Array[], answer: Pick<ReadAnswer<unknown>, "sent" | "close">) {
    this.#pieces = pieces;
    this.#answer = answer;
    this.length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  }

  next(): Uint8Array | undefined {
    this.#answer.sent(this.#heldBytes);
    const piece = this.#pieces[this.#at];
    this.#heldBytes = piece?.length ?? 0;
    if (piece !== undefined) this.#pieces[this.#at++] = empty;
    return piece;
  }

  close(): void {
    this.#pieces = [];
    this.#answer.close();
  }
}

const empty = new Uint8Array(0);
