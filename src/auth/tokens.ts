/** How a member gives out tokens, and knows a caller by one. */
import type { Done } from "../base/done.js";
import type { AuthChange } from "../state/auth/types.js";
import type { Caller } from "../wire/proposal.js";

type Authenticated = Extract<AuthChange, { type: "authenticated" }>;

export interface Tokens {
  /** The random part of a token that is about to be proposed; empty if tokens need none. */
  prefix(): string;
  /** The token of a login that was applied at `index`. */
  issue(login: Authenticated, index: number, done: Done<string>): void;
  /** Error invalidAuthToken. May call `done` inside the call. */
  callerOf(token: string, done: Done<Caller>): void;
  /** Call with what each auth entry did. */
  applied(change: AuthChange, index: number): void;
  /** Call for each applied entry, if any request waits (`isWaiting`). */
  progressed(): void;
  readonly isWaiting: boolean;
  /** Call when another state has replaced this member's. */
  stateReplaced(): void;
  tick(nowMs: number): void;
}
