/** A history that cannot be read: the error, and its line (from 1) in the text. */
export class HistoryFormatError extends Error {
  override readonly name = "HistoryFormatError";
  readonly line: number;
  readonly problem: string;

  /** @param file the file of a history that has several */
  constructor(line: number, problem: string, file?: string) {
    super(`${file === undefined ? "" : `${file}, `}line ${line}: ${problem}`);
    this.line = line;
    this.problem = problem;
  }
}
