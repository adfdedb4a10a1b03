/**
 * Checks the rights of one stream's watchers. Each watcher is checked when it is created, and again
 * after each change of users, roles or rights: before it gets an event of a later state, and soon
 * after the change even if there is none. etcd checks at the creation only, so there a watcher may
 * outlive its right.
 */
import type { KvError } from "../base/errors.js";
import type { Member } from "../member/types.js";
import { rangeRefusal } from "../state/auth/rights.js";
import { type Caller, nobody } from "../wire/proposal.js";

/** The range that a watcher watches, and its user. */
export interface WatcherClaim {
  readonly username: string;
  readonly key: Uint8Array;
  readonly range_end: Uint8Array;
}

interface Watcher {
  readonly claim: WatcherClaim;
  /** Identifies the state of users at which the right was last found to hold. */
  stamp: number;
  refusal: KvError | undefined;
  /** It was refused an event. If its right comes back before it is ended, it still ends: it has a gap. */
  hasMissed: boolean;
}

export class WatchRights {
  readonly #member: Member;
  readonly #cancel: (watchId: bigint) => void;
  readonly #watchers = new Map<bigint, Watcher>();
  #end: (() => void) | undefined;

  /** `cancel` ends a watcher whose right has ended. */
  constructor(member: Member, cancel: (watchId: bigint) => void) {
    this.#member = member;
    this.#cancel = cancel;
  }

  created(watchId: bigint, claim: WatcherClaim): void {
    this.#end ??= this.#member.authenticator.onChange(() => this.#askAll());
    this.#watchers.set(watchId, { claim, stamp: -2, refusal: undefined, hasMissed: false });
  }

  canceled(watchId: bigint): KvError | undefined {
    const refusal = this.#watchers.get(watchId)?.refusal;
    this.#watchers.delete(watchId);
    return refusal;
  }

  /**
   * Returns true if the watcher may have events of the present state. If not, it gets no event any
   * more, and ends soon.
   */
  mayHaveEvents(watchId: bigint): boolean {
    const watcher = this.#watchers.get(watchId);
    if (watcher === undefined || this.#holds(watcher)) return true;
    watcher.hasMissed = true;
    return false;
  }

  close(): void {
    this.#end?.();
    this.#watchers.clear();
  }

  #askAll(): void {
    for (const [id, watcher] of [...this.#watchers]) if (!this.#holds(watcher)) this.#cancel(id);
  }

  #holds(watcher: Watcher): boolean {
    if (watcher.hasMissed) return false;
    const { auth } = this.#member.machine;
    // Switching auth on changes no revision.
    const stamp = auth.isEnabled ? auth.revision : -1;
    if (watcher.stamp === stamp) return true;
    const { claim } = watcher;
    const caller: Caller =
      claim.username === "" ? nobody : { username: claim.username, authRevision: auth.revision };
    watcher.refusal = rangeRefusal(auth, caller, claim);
    if (watcher.refusal === undefined) watcher.stamp = stamp;
    return watcher.refusal === undefined;
  }
}
