/**
 * What a run found: the invariant by its short name (docs/simulation.md lists them), and one
 * sentence. Two failures are the same for the shrinker if the name is the same.
 */
import type { Invariant } from "./invariants.js";

/** A client's operation that shows the violation, and when. */
export interface ClientPlace {
  readonly operationId?: number;
  readonly member?: string;
  readonly atUs?: number;
}

export interface ViolationPlace {
  readonly node?: string | undefined;
  readonly place?: ClientPlace | undefined;
}

export class Violation extends Error {
  override readonly name = "Violation";
  readonly invariant: Invariant;
  readonly node: string | undefined;
  /** Where clients saw it, if it was found in what they saw. */
  readonly place: ClientPlace | undefined;

  constructor(invariant: Invariant, text: string, where: ViolationPlace = {}) {
    super(text);
    this.invariant = invariant;
    this.node = where.node;
    this.place = where.place;
  }
}
