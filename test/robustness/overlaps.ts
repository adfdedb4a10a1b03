/** What ran at the same time as what: counted when the later one of two begins. */
export class Overlaps {
  readonly #wanted: number;
  readonly #running = new Map<object, string>();
  readonly #pairs = new Map<string, number>();
  readonly #counts = new Map<string, number>();

  /** `wanted`: how often each pair is to overlap. */
  constructor(wanted: number) {
    this.#wanted = wanted;
  }

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

  /** How many of those that run now have not overlapped with this one often enough. */
  lackingNow(name: string): number {
    return this.running().filter((other) => this.of(name, other) < this.#wanted).length;
  }

  /** With how many of `others` this one has not overlapped often enough. */
  lacking(name: string, others: readonly string[]): number {
    return others.filter((other) => this.of(name, other) < this.#wanted).length;
  }

  /** The pairs of a call with a call, itself too, or with a fault that overlapped too seldom. */
  thin(calls: readonly string[], faults: readonly string[]): readonly string[] {
    const pairs = calls.flatMap((call, at) =>
      [...calls.slice(at), ...faults].map((other) => ({
        call,
        other,
        times: this.of(call, other),
      })),
    );
    return pairs
      .filter(({ times }) => times < this.#wanted)
      .map(({ call, other, times }) => `${call} and ${other}: ${times}`);
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
