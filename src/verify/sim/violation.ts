/**
 * The finding of a run: the invariant by its short name (docs/simulation.md lists them), and one
 * sentence. For the shrinker two failures are the same if the name is the same.
 */
import type { Invariant } from "./invariants.js";

/** A client's operation that shows the violation, and when. */
export interface ClientPlace {
  readonly operationId?: number;
  readonly member?: string;
  readonly atUs?: number;
}

/** Where it shows. `node`: the node whose check failed. */
export interface ViolationPlace {
  readonly node?: string | undefined;
  readonly place?: ClientPlace | undefined;
}

export class Violation extends Error {
  override readonly name = "Violation";
  readonly invariant: Invariant;
  readonly node: string | undefined;
  /** The place where clients saw it, if the history of clients shows it. */
  readonly place: ClientPlace | undefined;

  constructor(invariant: Invariant, text: string, where: ViolationPlace = {}) {
    super(text);
    this.invariant = invariant;
    this.node = where.node;
    this.place = where.place;
  }
}
