/**
 * Passwords and signed tokens: work that takes long, or that a library does. It runs beside the
 * event loop, and never on the threads that write the log (docs/decisions/0022-passwords-and-tokens.md).
 * Each callback runs once, never inside the call.
 */
import type { Done } from "../base/done.js";

export interface Passwords {
  /**
   * Makes the bcrypt hash of the password with a new salt. `cost` is 4..31: each step doubles the
   * time.
   */
  hash(password: string, cost: number, done: Done<string>): void;
  /** Tells whether the password gives this bcrypt hash. A text that is no hash fits no password. */
  fits(password: string, hash: string, done: Done<boolean>): void;
  /** Ends the work in progress; its callbacks do not run any more. */
  close(): void;
}

/** What a signed token says. */
export interface TokenClaims {
  readonly username: string;
  readonly revision: number;
  /** Milliseconds since the Unix epoch; Infinity: it does not end. */
  readonly expiresUnixMs: number;
}

/** Signs and verifies JSON Web Tokens of one key and one method. */
export interface TokenSigner {
  /** Error verifyOnly: this signer has no private key. */
  sign(claims: TokenClaims, done: Done<string>): void;
  /**
   * Calls `done` with the claims. Undefined: the key has not signed the token, it names another
   * method, it has ended, or it lacks the claims.
   */
  verify(token: string, done: (claims: TokenClaims | undefined) => void): void;
}
