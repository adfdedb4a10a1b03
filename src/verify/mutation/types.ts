/**
 * A mutant: one historical or plausible bug, as patches of the production code. The command applies
 * them to a copy of the compiled code (mutant-build.ts); production source knows nothing of them.
 *
 * A patch names a declaration and a piece of syntax in it, not a file, a line or a layout. A file
 * that moves needs no edit here; a renamed function needs one edit for each patch that names it.
 */
import type { Invariant } from "../sim/invariants.js";

/** The place of a patch, and what it needs there. */
interface Place {
  /**
   * What is declared at the top of a file: "isPromotable", "retryMs", "Committer", or a member of a
   * class: "Committer.#commitNow", "Lessor.constructor". A function inside another one counts as
   * part of it. Never of verify or cli.
   */
  readonly in: string;
  /**
   * The file's name, "wal.ts". Set only if several files declare that name and contain that place.
   */
  readonly file?: string;
  /** Names that other files export and the patch imports: ["isAtLeast"]. */
  readonly uses?: readonly string[];
}

export interface ReplacePatch extends Place {
  /**
   * An expression, or one or more statements in a row, as they stand in the source; types may stay
   * or go. Layout, comments and the kind of quotes do not matter. The declaration contains it
   * exactly once.
   */
  readonly find: string;
  /**
   * JavaScript that takes the place of `find`. At least one patch of a mutant calls `RAN()` here.
   */
  readonly replace: string;
}

export interface BeginPatch extends Place {
  /**
   * JavaScript to insert: statements before all others of a function, or further members of a
   * class.
   */
  readonly begin: string;
}

/** One change of a function. */
export type Patch = ReplacePatch | BeginPatch;

export interface Mutant {
  /** The id, like "M07", as in the catalogue of docs/mutants.md. */
  readonly id: string;
  readonly title: string;
  /** Where the bug was seen: "etcd #13766", "Raft 5.4.2", "class". */
  readonly origin: string;
  /** The conditions under which the bug shows, in a few words. */
  readonly conditions: string;
  /** The invariants that must catch it: any of these. "C5" stands for all rules of watches. */
  readonly caughtBy: readonly (Invariant | "C5")[];
  readonly patches: readonly Patch[];
  /** True for a control: the code is changed but correct. No check may flag it. */
  readonly isControl?: boolean;
  /**
   * A file in src/verify/sim/plans that shows the bug, for one that few seeds find. It is tried
   * before all seeds.
   */
  readonly plan?: string;
  /** Flags of `lockstep sim`, for a bug that needs special settings: ["--members", "1"]. */
  readonly flags?: readonly string[];
}
