/**
 * A mutant: one historical or plausible bug, as a patch of the compiled production code. The patch
 * is applied to a copy (mutant-build.ts); production source knows nothing of it.
 */
export interface Patch {
  /** Below dist/, for example "raft/election.js". Never below verify/ or cli/. */
  readonly file: string;
  /** Occurs exactly once in the file; otherwise the patch fails loudly. */
  readonly find: string;
  /** Calls `RAN()`, in one of a mutant's patches at least, where the bug's place is reached. */
  readonly replace: string;
}

export interface Mutant {
  /** "M07": the catalogue of docs/mutants.md. */
  readonly id: string;
  readonly title: string;
  /** Where the bug was seen: "etcd #13766", "Raft 5.4.2", "class". */
  readonly origin: string;
  /** What has to happen for it to show, in a few words. */
  readonly conditions: string;
  /** The invariants that must catch it: any of these, as named in a Violation. */
  readonly caughtBy: readonly string[];
  readonly patches: readonly Patch[];
  /** A control: correct although changed, and never to be flagged. */
  readonly isControl?: boolean;
  /** Of `lockstep sim`, for a bug that needs a world of its own: ["--members", "1"]. */
  readonly flags?: readonly string[];
}
