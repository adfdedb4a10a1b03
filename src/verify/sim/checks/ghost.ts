/**
 * The history of a cluster, as no single member knows it: the leader of each term, when and at
 * which index each entry was committed, the promises of each member. A crash never resets it.
 */
import type { ConfState, Entry } from "../../../raft/types.js";
import type { SimNode } from "../sim-node.js";

export interface CommittedEntry {
  readonly entry: Entry;
  /** When a member first knew that the entry is committed; undefined: not known. */
  readonly atUs?: number;
  /** The term in which it was first committed. */
  readonly commitTerm: number;
}

/** The state of a node after its last event. */
export interface LifeGhost {
  life: number;
  term: number;
  isLeader: boolean;
  commit: number;
  lastIndex: number;
  lastTerm: number;
  applied: number;
  /** Number of configurations applied in this life, and the number before the last event. */
  configurations: number;
  configurationsBefore: number;
  /** Term by index, as this node's log had it after the last event. */
  readonly terms: Map<number, number>;
}

export class Ghost {
  /** Disks of a majority were replaced by older copies: earlier promises are void. */
  isRolledBack = false;
  /** The leader's member id, by term. */
  readonly leaders = new Map<number, bigint>();
  /** By index; the founding entry has none. */
  readonly committed = new Map<number, CommittedEntry>();
  committedMax = 0;
  /** The latest configuration that any member has applied. */
  configuration: { readonly index: number; readonly conf: ConfState } | undefined;
  /** The root digest of the first member that applied an index, by index. */
  readonly roots = new Map<number, string>();
  /** The current revision of the first member that applied an index, by index. */
  readonly revisions = new Map<number, number>();
  /** Entries that changed nothing because of an alarm, or because their user had no right. */
  readonly stopped = new Set<number>();
  /**
   * The data in memory besides the rows, of the first member that applied it: see memory-checks.ts.
   */
  readonly memories = new Map<number, string>();
  /** The candidate that a member voted for, by "id/term". */
  readonly votes = new Map<string, bigint>();
  /** A member's promise to hold entries: the largest index acknowledged, by term. */
  readonly acknowledged = new Map<bigint, Map<number, number>>();
  readonly #lives = new Map<SimNode, LifeGhost>();

  life(node: SimNode): LifeGhost {
    let life = this.#lives.get(node);
    if (life === undefined || life.life !== node.life) {
      life = {
        life: node.life,
        term: 0,
        isLeader: false,
        commit: 0,
        lastIndex: 0,
        lastTerm: 0,
        applied: 0,
        configurations: 0,
        configurationsBefore: 0,
        terms: new Map(),
      };
      this.#lives.set(node, life);
    }
    return life;
  }

  /** The highest committed index that was committed before `term`. */
  committedBefore(term: number): number {
    for (let index = this.committedMax; index > 0; index--) {
      const known = this.committed.get(index);
      if (known !== undefined && known.commitTerm < term) return index;
    }
    return 0;
  }
}

/** True if term, type and data are equal. */
export function sameEntry(a: Entry, b: Entry): boolean {
  if (a.term !== b.term || a.type !== b.type || a.data.length !== b.data.length) return false;
  return a.data === b.data || a.data.every((byte, at) => byte === b.data[at]);
}
