/** What ran at the same time as what: counted when the later one of two begins. */
export class Overlaps {
  readonly #running = new Map<object, string>();
  readonly #pairs = new Map<string, number>();
  readonly #counts = new Map<string, number>();

  /** Returns what to call at the end. */
  begin(name: string): () => void {
    for (const other of this.#running.values()) {
      const pair = pairOf(name, other);
      this.#pairs.set(pair, (this.#pairs.get(pair) ?? 0) + 1);
    }
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
    const token = {};
    this.#running.set(token, name);
    return () => {
      this.#running.delete(token);
    };
  }

  running(): string[] {
    return [...this.#running.values()];
  }

  count(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  of(one: string, other: string): number {
    return this.#pairs.get(pairOf(one, other)) ?? 0;
  }

  /** A triangle: each row's name with its number, the columns by these numbers. */
  table(names: readonly string[]): string {
    const width = Math.max(...names.map(({ length }) => length));
    const cells = (row: string, place: number): string =>
      names
        .slice(0, place + 1)
        .map((column) => String(this.of(row, column)).padStart(6))
        .join("");
    const head = names.map((_, place) => String(place + 1).padStart(6)).join("");
    const lines = names.map((name, place) => {
      const label = `${String(place + 1).padStart(2)} ${name.padEnd(width)}`;
      return `${label} ${String(this.count(name)).padStart(6)} |${cells(name, place)}`;
    });
    return [`${" ".repeat(width + 3)}  times |${head}`, ...lines].join("\n");
  }
}

function pairOf(one: string, other: string): string {
  return one < other ? `${one}\n${other}` : `${other}\n${one}`;
}
