/**
 * Acts when raft finds that a leader's log lacks entries that are committed here (see
 * raft/contradiction.ts). That happens when the disks of a majority were wiped or replaced by older
 * copies.
 *
 * The member that has those entries answers nothing until it is restarted, keeps everything on its
 * disk, and names the entries that the others lost. The leader raises an alarm for it, and the
 * majority goes on serving: nobody inside the cluster can tell whether the loss was intended.
 */

import type { Done } from "../../base/done.js";
import { KvError } from "../../base/errors.js";
import type { Contradiction } from "../../raft/types.js";
import type { Incidents } from "../incidents/incidents.js";
import { entryText } from "./entry-text.js";
import { keepLostEntries, type LostEntries, type LostEntriesParts } from "./lost-entries.js";
import type { OtherLog } from "./other-log.js";

/** The incident names this many of the newest entries. The file has all. */
const namedMax = 20;
/**
 * How many entries are kept. The entries beyond the end of the leader's log are surely lost. Where
 * the two histories part is not known here: below that end, the leader may have other entries under
 * the same index and term.
 */
const keptMax = 10_000;
const advice =
  "restore the data directories of the others and restart this member, or remove it from the cluster and add it anew (docs/operations/lost-entries.md)";

export interface DivergenceParts extends LostEntriesParts {
  readonly selfId: bigint;
  readonly electionMs: number;
  readonly incidents: Pick<Incidents, "diverged">;
  firstIndex(): number;
  /**
   * True while raft doubts: the leader's log, as last heard, may lack entries that are committed
   * here.
   */
  isDoubtful(): boolean;
  isLeader(): boolean;
  /** Call when this member answers nothing any more: ends all waiting requests and all watches. */
  letGo(): void;
  /** At the leader: raises the alarm for that member, if it is not active yet. */
  report(member: bigint, index: number): void;
  log(
    level: "info" | "warn" | "error",
    message: string,
    fields: Readonly<Record<string, unknown>>,
  ): void;
}

/** Why this member answers nothing. */
export interface OwnDivergence extends Contradiction {
  /** Unix time in milliseconds. */
  readonly sinceMs: number;
  /** The file of lost entries. Undefined: it is being written, or could not be written. */
  readonly kept: LostEntries | undefined;
}

export class Divergence {
  readonly #parts: DivergenceParts;
  #own: OwnDivergence | undefined;
  /** At the leader: the members that have lost entries, in this term. */
  readonly #others = new Map<bigint, number>();
  #waiting: { readonly sinceMs: number; readonly done: Done<void> }[] = [];

  constructor(parts: DivergenceParts) {
    this.#parts = parts;
  }

  own(): OwnDivergence | undefined {
    return this.#own;
  }

  found(contradiction: Contradiction): void {
    const { committed } = contradiction;
    if (contradiction.member !== this.#parts.selfId) this.#foundOther(contradiction);
    else if (this.#foundOwn(contradiction)) {
      const first = Math.max(committed.index - keptMax + 1, this.#parts.firstIndex());
      this.#keep(contradiction, first);
    }
  }

  /** This member's committed entries differ from the leader's under the same indexes and terms. */
  foundOtherLog({ first, last, leaderEnd }: OtherLog): void {
    const contradiction = { member: this.#parts.selfId, committed: last, leaderEnd };
    this.#foundOwn(contradiction);
    this.#keep(contradiction, first);
  }

  leaderChanged(): void {
    this.#others.clear();
  }

  /**
   * True: calls `done` as soon as it is clear whether the leader has the entries that are committed
   * here.
   */
  isHeld(done: Done<void>): boolean {
    if (!this.#parts.isDoubtful()) return false;
    this.#waiting.push({ sinceMs: this.#parts.clock.now(), done });
    return true;
  }

  tick(nowMs: number): void {
    if (this.#parts.isLeader()) {
      for (const [member, index] of this.#others) this.#parts.report(member, index);
    }
    if (this.#waiting.length === 0) return;
    if (!this.#parts.isDoubtful()) this.#release(undefined);
    const lateMs = nowMs - 5 * this.#parts.electionMs;
    const late = this.#waiting.filter(({ sinceMs }) => sinceMs <= lateMs);
    this.#waiting = this.#waiting.filter(({ sinceMs }) => sinceMs > lateMs);
    for (const { done } of late) done(new KvError("timeout"));
  }

  stop(): void {
    this.#release(new KvError("stopped"));
  }

  #release(refusal: KvError | undefined): void {
    for (const { done } of this.#waiting.splice(0)) done(refusal);
  }

  /** False: it was known. */
  #foundOwn(contradiction: Contradiction): boolean {
    if (this.#own !== undefined) return false;
    const { clock, incidents, selfId } = this.#parts;
    this.#own = { ...contradiction, sinceMs: clock.unixMs(), kept: undefined };
    const text = sentence(contradiction);
    this.#parts.log("error", `this member answers nothing: ${text}; ${advice}`, {
      ...fieldsOf(contradiction),
    });
    incidents.diverged(selfId, { index: contradiction.committed.index, text, evidence: [] });
    this.#parts.letGo();
    this.#release(new KvError("corrupt"));
    return true;
  }

  #foundOther(contradiction: Contradiction): void {
    const { member, committed } = contradiction;
    if (this.#others.has(member)) return;
    this.#others.set(member, committed.index);
    const text = sentence(contradiction);
    this.#parts.log(
      "error",
      `entries that were committed are lost here, and member ${member.toString(16)} still has them: ${text}; ${advice}`,
      { member: member.toString(16), ...fieldsOf(contradiction) },
    );
    this.#parts.incidents.diverged(member, { index: committed.index, text, evidence: [] });
    this.#parts.report(member, committed.index);
  }

  #keep({ committed, leaderEnd }: Contradiction, first: number): void {
    const last = committed.index;
    const { incidents, selfId } = this.#parts;
    keepLostEntries(this.#parts, { first, last, lastTerm: committed.term }, (kept) => {
      if (kept instanceof Error) {
        const text = `the entries could not be kept aside: ${kept.message}; they stay in the log`;
        this.#parts.log("error", text, {});
        incidents.diverged(selfId, { index: last, text, evidence: [] });
        return;
      }
      if (this.#own !== undefined) this.#own = { ...this.#own, kept };
      const lost = leaderEnd.index < last ? `${leaderEnd.index + 1} to ${last}, and ` : "";
      const text = `entries ${first} to ${last} are kept in ${kept.file}; the others lost ${lost}those where theirs differ`;
      this.#parts.log("warn", text, { file: kept.file });
      incidents.diverged(selfId, { index: last, text, evidence: this.#named(first, last) });
    });
  }

  #named(first: number, last: number): readonly string[] {
    const from = Math.max(first, last - namedMax + 1);
    const entries = this.#parts.entries(from, last + 1, Number.MAX_SAFE_INTEGER) ?? [];
    const named = entries.map(
      (entry) => `index ${entry.index} term ${entry.term}: ${entryText(entry)}`,
    );
    const more = last - first + 1 - named.length;
    return more === 0 ? named : [`${more} earlier ones, then:`, ...named];
  }
}

function sentence({ committed, leaderEnd }: Contradiction): string {
  const { index, term } = committed;
  return leaderEnd.index < index
    ? `the log is committed up to index ${index} (term ${term}), but the leader's log ended at index ${leaderEnd.index} (term ${leaderEnd.term})`
    : `the log is committed up to index ${index} (term ${term}), but the leader has another entry there`;
}

function fieldsOf({ committed, leaderEnd }: Contradiction): Readonly<Record<string, number>> {
  return {
    "committed-index": committed.index,
    "committed-term": committed.term,
    "leader-last-index": leaderEnd.index,
    "leader-last-term": leaderEnd.term,
  };
}
