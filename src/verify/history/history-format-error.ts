/** A history that cannot be read: what is wrong, and in which line (from 1) of the text. */
export class HistoryFormatError extends Error {
  override readonly name = "HistoryFormatError";
  readonly line: number;

  constructor(line: number, problem: string) {
    super(`line ${line}: ${problem}`);
    this.line = line;
  }
}
