/**
 * etcd's simple tokens: 16 random letters, a dot, and the index of the entry that logged the user
 * in. That entry is applied on every member, so each member knows the token; a member forgets its
 * tokens with its process. A token ends `ttlMs` after its last use at this member, or when its user
 * is deleted or gets another password, or when auth is switched off.
 *
 * The index lets a member that lags wait until it knows the token. Waiting is bounded in number and
 * time, because anybody can write a high index.
 */
import type { Done } from "../base/done.js";
import { KvError } from "../base/errors.js";
import type { Clock } from "../platform/clock.js";
import type { Rng } from "../platform/rng.js";
import type { AuthChange } from "../state/auth/types.js";
import type { Caller } from "../wire/proposal.js";
import type { Tokens } from "./tokens.js";

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const prefixLetters = 16;
const form = /^[^.]*\.(\d{1,16})$/;
const waitingMax = 1_000;
const waitMs = 5_000;

interface Token {
  readonly user: string;
  endsMs: number;
}

interface Waiting {
  readonly token: string;
  readonly index: number;
  readonly untilMs: number;
  readonly done: Done<Caller>;
}

export interface SimpleTokensParts {
  readonly clock: Pick<Clock, "now">;
  readonly rng: Rng;
  readonly ttlMs: number;
  appliedIndex(): number;
  authRevision(): number;
}

export class SimpleTokens implements Tokens {
  readonly #parts: SimpleTokensParts;
  /**
   * The token that was not used for the longest time comes first: a use moves a token to the end.
   */
  readonly #tokens = new Map<string, Token>();
  readonly #byUser = new Map<string, Set<string>>();
  #waiting: Waiting[] = [];

  constructor(parts: SimpleTokensParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#tokens.size;
  }

  prefix(): string {
    let text = "";
    for (let at = 0; at < prefixLetters; at++) text += letters[this.#parts.rng.int(letters.length)];
    return text;
  }

  issue(
    { simpleToken }: { readonly simpleToken: string },
    index: number,
    done: Done<string>,
  ): void {
    done(`${simpleToken}.${index}`);
  }

  callerOf(token: string, done: Done<Caller>): void {
    const index = Number(form.exec(token)?.[1] ?? Number.NaN);
    const { clock, appliedIndex } = this.#parts;
    if (
      Number.isSafeInteger(index) &&
      index > appliedIndex() &&
      this.#waiting.length < waitingMax
    ) {
      this.#waiting.push({ token, index, untilMs: clock.now() + waitMs, done });
    } else done(this.#known(token));
  }

  applied(change: AuthChange, index: number): void {
    switch (change.type) {
      case "authenticated":
        if (change.simpleToken !== "") this.#add(`${change.simpleToken}.${index}`, change.user);
        break;
      case "userEnded":
        for (const token of this.#byUser.get(change.user) ?? []) this.#tokens.delete(token);
        this.#byUser.delete(change.user);
        break;
      case "disabled":
        this.stateReplaced();
        break;
      default:
    }
  }

  get isWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  progressed(): void {
    const applied = this.#parts.appliedIndex();
    this.#settle((waiting) => waiting.index <= applied);
  }

  stateReplaced(): void {
    this.#tokens.clear();
    this.#byUser.clear();
  }

  tick(nowMs: number): void {
    for (const [token, { endsMs }] of this.#tokens) {
      if (endsMs > nowMs) break;
      this.#remove(token);
    }
    if (this.isWaiting) this.#settle(({ untilMs }) => untilMs <= nowMs);
  }

  #settle(isDue: (waiting: Waiting) => boolean): void {
    const due = this.#waiting.filter(isDue);
    if (due.length === 0) return;
    this.#waiting = this.#waiting.filter((waiting) => !isDue(waiting));
    for (const { token, done } of due) done(this.#known(token));
  }

  #known(text: string): Caller | KvError {
    const token = this.#tokens.get(text);
    const nowMs = this.#parts.clock.now();
    if (token === undefined || token.endsMs <= nowMs) return new KvError("invalidAuthToken");
    token.endsMs = nowMs + this.#parts.ttlMs;
    this.#tokens.delete(text);
    this.#tokens.set(text, token);
    return { username: token.user, authRevision: this.#parts.authRevision() };
  }

  #add(token: string, user: string): void {
    this.#tokens.set(token, { user, endsMs: this.#parts.clock.now() + this.#parts.ttlMs });
    const own = this.#byUser.get(user) ?? new Set();
    own.add(token);
    this.#byUser.set(user, own);
  }

  #remove(token: string): void {
    const user = this.#tokens.get(token)?.user ?? "";
    this.#tokens.delete(token);
    const own = this.#byUser.get(user);
    own?.delete(token);
    if (own?.size === 0) this.#byUser.delete(user);
  }
}
