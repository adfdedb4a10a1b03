/**
 * What a run found: the invariant by its short name (docs/simulation.md lists them), and one
 * sentence. Two failures are the same for the shrinker if the name is the same.
 */
export class Violation extends Error {
  override readonly name = "Violation";
  /** "S2", "C3", "liveness", "crash", ... */
  readonly invariant: string;
  readonly node: string | undefined;

  constructor(invariant: string, text: string, node?: string) {
    super(text);
    this.invariant = invariant;
    this.node = node;
  }
}
