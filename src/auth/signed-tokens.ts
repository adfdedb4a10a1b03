/**
 * Tokens that the cluster's key has signed (JWT), as etcd makes them: they name the user, the auth
 * revision and the time at which they end. No member keeps them, so a change of users or rights
 * makes all of them old: their revision is below the state's.
 *
 * A token that was verified once is remembered until it ends, because each request brings it again.
 */
import type { Done } from "../base/done.js";
import { KvError } from "../base/errors.js";
import type { Clock } from "../platform/clock.js";
import type { TokenClaims, TokenSigner } from "../platform/credentials.js";
import type { Caller } from "../wire/proposal.js";
import type { Tokens } from "./tokens.js";

/** How many tokens are remembered. The oldest one leaves first. */
const rememberedMax = 10_000;
/** Verifications use threads of the process that also write the log, so only a few run at a time. */
const verifyingMax = 2;
const waitingMax = 1_000;

export interface SignedTokensParts {
  readonly clock: Pick<Clock, "unixMs">;
  readonly signer: TokenSigner;
  readonly ttlMs: number;
}

export class SignedTokens implements Tokens {
  readonly #parts: SignedTokensParts;
  readonly #verified = new Map<string, TokenClaims>();
  readonly #waiting: { readonly token: string; readonly done: Done<Caller> }[] = [];
  #verifying = 0;

  constructor(parts: SignedTokensParts) {
    this.#parts = parts;
  }

  prefix(): string {
    return "";
  }

  issue(
    { user, authRevision }: { readonly user: string; readonly authRevision: number },
    _index: number,
    done: Done<string>,
  ): void {
    const { signer, clock, ttlMs } = this.#parts;
    const expiresUnixMs = clock.unixMs() + ttlMs;
    signer.sign({ username: user, revision: authRevision, expiresUnixMs }, done);
  }

  callerOf(token: string, done: Done<Caller>): void {
    const known = this.#verified.get(token);
    if (known !== undefined && known.expiresUnixMs > this.#parts.clock.unixMs()) {
      done(callerOf(known));
    } else if (this.#waiting.length >= waitingMax) {
      done(new KvError("tooManyRequests"));
    } else {
      this.#verified.delete(token);
      this.#waiting.push({ token, done });
      this.#verifyNext();
    }
  }

  applied(): void {}

  readonly isWaiting = false;

  progressed(): void {}

  stateReplaced(): void {}

  tick(): void {}

  #verifyNext(): void {
    if (this.#verifying >= verifyingMax) return;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    this.#verifying++;
    this.#parts.signer.verify(next.token, (claims) => {
      this.#verifying--;
      this.#verifyNext();
      if (claims === undefined) next.done(new KvError("invalidAuthToken"));
      else {
        this.#remember(next.token, claims);
        next.done(callerOf(claims));
      }
    });
  }

  #remember(token: string, claims: TokenClaims): void {
    this.#verified.set(token, claims);
    if (this.#verified.size <= rememberedMax) return;
    const [oldest] = this.#verified.keys();
    if (oldest !== undefined) this.#verified.delete(oldest);
  }
}

function callerOf({ username, revision }: TokenClaims): Caller {
  return { username, authRevision: revision };
}
