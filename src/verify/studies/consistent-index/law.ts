/**
 * The law, checked on one image of the disk: the content at index i is fold(log[1..i]). For a
 * broken image the code finds the index that its content really has. Then it replays the log as a
 * restart would, to tell whether the damage heals or stays.
 */
import {
  contentOf,
  indexRow,
  localPrefix,
  type Rows,
  replay,
  type StudyEntry,
  type Value,
} from "./log-entry.js";
import { indexOf } from "./store.js";

/** How an image breaks the law. */
export type Kind =
  /** The content is newer than the index: entries are applied twice. */
  | "index too small"
  /** The content is older than the index: entries are lost. */
  | "index too large"
  /** The content is that of no index: it holds a part of an entry. */
  | "part of an entry"
  /** The log that the index asks for is gone: the member cannot start. */
  | "index below the log";

export interface LawBreach {
  readonly kind: Kind;
  /** The index that the image claims. */
  readonly index: number;
  /** The index whose content it has; undefined: no index. */
  readonly contentIndex: number | undefined;
  /** True: a restart does not repair it. */
  readonly isHarmful: boolean;
  /** The replicated rows that differ from the other members' after the restart. */
  readonly differences: readonly LawDifference[];
  /** The broken image itself. */
  readonly image: Rows;
}

/** One row; undefined: it is not there. */
export interface LawDifference {
  readonly row: string;
  readonly here: Value | undefined;
  readonly elsewhere: Value | undefined;
}

export class Law {
  readonly #log: readonly StudyEntry[];
  readonly #folds: Map<string, Value>[] = [];
  readonly #contents: string[] = [];

  constructor(log: readonly StudyEntry[]) {
    this.#log = log;
    const rows = new Map<string, Value>();
    for (let index = 0; index <= log.length; index++) {
      if (index > 0) replay(log, rows, { from: index - 1, to: index });
      this.#folds.push(new Map(rows));
      this.#contents.push(contentOf(rows));
    }
  }

  /** `snapshotIndex`: the log up to and including it is gone. */
  check(image: Rows, snapshotIndex: number): LawBreach | undefined {
    const index = indexOf(image);
    const content = contentOf(image);
    const isBelowLog = index < snapshotIndex;
    if (content === this.#contents[index] && !isBelowLog) return undefined;
    const contentIndex = this.#nearest(content, index);
    const restarted = new Map(image);
    replay(this.#log, restarted, { from: index, to: this.#log.length });
    const differences = this.#differences(restarted);
    return {
      kind: isBelowLog ? "index below the log" : kindOf(index, contentIndex),
      index,
      contentIndex,
      isHarmful: isBelowLog || differences.length > 0,
      differences,
      image,
    };
  }

  #nearest(content: string, index: number): number | undefined {
    for (let distance = 0; distance < this.#contents.length; distance++) {
      if (this.#contents[index + distance] === content) return index + distance;
      if (this.#contents[index - distance] === content) return index - distance;
    }
    return undefined;
  }

  #differences(restarted: Rows): LawDifference[] {
    const right = this.#folds[this.#log.length] as Rows;
    const names = [...new Set([...right.keys(), ...restarted.keys()])].sort();
    return names
      .filter((name) => name !== indexRow && !name.startsWith(localPrefix))
      .filter((name) => right.get(name) !== restarted.get(name))
      .map((row) => ({ row, here: restarted.get(row), elsewhere: right.get(row) }));
  }
}

function kindOf(index: number, contentIndex: number | undefined): Kind {
  if (contentIndex === undefined) return "part of an entry";
  return contentIndex > index ? "index too small" : "index too large";
}
