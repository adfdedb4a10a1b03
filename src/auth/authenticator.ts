/**
 * Knows who calls this member: by token, by certificate, or by login. What the caller may do is
 * decided by the state (state/auth/rights.ts).
 *
 * A login goes through the log. This member compares the password here, against the hash in its
 * state. If users change before the entry is applied, the entry has no effect, and the login starts
 * again.
 */
import type { Done } from "../base/done.js";
import { KvError } from "../base/errors.js";
import type { Clock } from "../platform/clock.js";
import type { Passwords } from "../platform/credentials.js";
import type { AuthChange, AuthReader } from "../state/auth/types.js";
import type { Applied } from "../state/types.js";
import { InternalAuthenticateRequest } from "../wire/gen/internal.js";
import { type Caller, nobody, type Proposal, RequestField } from "../wire/proposal.js";
import { FairQueue } from "./fair-queue.js";
import type { Tokens } from "./tokens.js";

const jobsMax = 4_096;
/** How many listeners one turn calls: each may look at some thousand watchers. */
const toldAtOnce = 8;
const triesMax = 10;

/** What a call brings to identify its caller. */
export interface CallerProof {
  readonly token: string | undefined;
  /** The common name of the client's verified certificate. */
  readonly commonName: string | undefined;
}

export interface AuthenticatorParts {
  readonly clock: Pick<Clock, "defer">;
  readonly passwords: Passwords;
  readonly bcryptCost: number;
  /** True if the common name of a client's certificate names the user. */
  readonly usesCertificates: boolean;
  readonly tokens: Tokens;
  auth(): AuthReader;
  readBarrier(done: Done<void>): void;
  propose(request: Proposal, done: Done<Applied>): void;
}

export interface Login {
  readonly name: string;
  readonly password: string;
  isOver(): boolean;
}

export class Authenticator {
  readonly #parts: AuthenticatorParts;
  readonly #queue = new FairQueue(jobsMax);
  readonly #listeners = new Set<() => void>();
  #untold: (() => void)[] = [];

  constructor(parts: AuthenticatorParts) {
    this.#parts = parts;
  }

  get usesCertificates(): boolean {
    return this.#parts.usesCertificates;
  }

  /**
   * Calls `done` with the caller: by token, else by certificate, else nobody. Error
   * invalidAuthToken. While auth is off everybody is nobody. May call `done` inside the call.
   */
  callerOf({ token, commonName }: CallerProof, done: Done<Caller>): void {
    const auth = this.#parts.auth();
    if (!auth.isEnabled) done(nobody);
    else if (token !== undefined) this.#parts.tokens.callerOf(token.replace(/^Bearer /, ""), done);
    else if (commonName === undefined || !this.#parts.usesCertificates) done(nobody);
    else done({ username: commonName, authRevision: auth.revision });
  }

  /**
   * Errors: authNotEnabled, authFailed, noPasswordUser, verifyOnly, tooManyRequests, and those of
   * proposals.
   */
  login(
    login: Login,
    done: Done<{ readonly token: string; readonly revision: number }>,
    triesLeft = triesMax,
  ): void {
    this.#parts.readBarrier((refusal) => {
      if (refusal instanceof KvError) done(refusal);
      else this.#check(login, done, triesLeft);
    });
  }

  /** Hashes a new password of the user, for the log. */
  hash(login: Login, done: Done<string>): void {
    const { passwords, bcryptCost } = this.#parts;
    this.#inTurn(login, (told) => passwords.hash(login.password, bcryptCost, told), done);
  }

  /**
   * Calls `fn` soon after users, roles or rights may have changed, some listeners at a time.
   * Returns a function that ends that.
   */
  onChange(fn: () => void): () => void {
    this.#listeners.add(fn);
    return () => this.#listeners.delete(fn);
  }

  /** Call for each applied entry. */
  applied({ outcome, index }: Applied): void {
    const { tokens } = this.#parts;
    if (!(outcome instanceof KvError) && outcome.kind === "auth") {
      tokens.applied(outcome.change, index);
      if (outcome.change.type !== "authenticated") this.#changed();
    }
    if (tokens.isWaiting) tokens.progressed();
  }

  /**
   * Call when another state has replaced this member's: forgets what it knew of the old one's
   * users.
   */
  stateReplaced(): void {
    this.#parts.tokens.stateReplaced();
    this.#changed();
  }

  tick(nowMs: number): void {
    this.#parts.tokens.tick(nowMs);
  }

  #changed(): void {
    const isFirst = this.#untold.length === 0;
    this.#untold = [...this.#listeners];
    if (isFirst && this.#untold.length > 0) this.#parts.clock.defer(() => this.#tellSome());
  }

  #tellSome(): void {
    for (const fn of this.#untold.splice(0, toldAtOnce)) if (this.#listeners.has(fn)) fn();
    if (this.#untold.length > 0) this.#parts.clock.defer(() => this.#tellSome());
  }

  #check(
    login: Login,
    done: Done<{ readonly token: string; readonly revision: number }>,
    triesLeft: number,
  ): void {
    const { isEnabled, revision } = this.#parts.auth();
    const user = this.#parts.auth().user(login.name);
    if (!isEnabled || user === undefined || user.options?.noPassword === true) {
      const known = user === undefined ? "authFailed" : "noPasswordUser";
      done(new KvError(isEnabled ? known : "authNotEnabled"));
      return;
    }
    const hash = Buffer.from(user.password).toString("latin1");
    const compare = (told: Done<boolean>): void =>
      this.#parts.passwords.fits(login.password, hash, told);
    this.#inTurn(login, compare, (fits) => {
      if (fits instanceof KvError) done(fits);
      else if (!fits) done(new KvError("authFailed"));
      else this.#propose(login, { revision, triesLeft, done });
    });
  }

  #propose(
    login: Login,
    checked: {
      readonly revision: number;
      readonly triesLeft: number;
      readonly done: Done<{ readonly token: string; readonly revision: number }>;
    },
  ): void {
    const { tokens } = this.#parts;
    const { revision, triesLeft, done } = checked;
    const body = InternalAuthenticateRequest.encode({
      ...{ name: login.name, password: "", simple_token: tokens.prefix() },
    }).finish();
    const proposal = { field: RequestField.authenticate, body, growthBytes: 0 };
    this.#parts.propose(proposal, (applied) => {
      const change = applied instanceof KvError ? applied : changeOf(applied);
      if (change instanceof KvError) done(change);
      else if (change.authRevision === revision) {
        tokens.issue(change, (applied as Applied).index, (token) => {
          if (token instanceof KvError) done(token);
          else done({ token, revision: (applied as Applied).revision });
        });
      } else if (triesLeft > 1 && !login.isOver()) this.login(login, done, triesLeft - 1);
      else done(new KvError("authOldRevision"));
    });
  }

  #inTurn<T>(login: Login, work: (told: Done<T>) => void, done: Done<T>): void {
    const isTaken = this.#queue.add({
      user: login.name,
      isOver: () => login.isOver(),
      run: (over) =>
        work((result) => {
          over();
          done(result);
        }),
    });
    if (!isTaken) done(new KvError("tooManyRequests"));
  }
}

function changeOf({ outcome }: Applied): Extract<AuthChange, { type: "authenticated" }> | KvError {
  if (outcome instanceof KvError) return outcome;
  if (outcome.kind === "auth" && outcome.change.type === "authenticated") return outcome.change;
  return new KvError("internal");
}
