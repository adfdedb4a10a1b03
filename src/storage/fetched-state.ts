import type { Backend } from "../platform/backend.js";
import type { Machine } from "../state/apply.js";

/** A complete state that is not in use yet. */
export interface FetchedState {
  /** The name of its backend. */
  readonly name: string;
  readonly backend: Backend;
  readonly machine: Machine;
}
