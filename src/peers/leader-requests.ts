/**
 * Questions that only the leader can answer, asked by any member. A question goes to the leader of
 * the moment. If that leader is gone, changes, or refuses before it has answered, the question goes
 * to the next one, until its time is over. So one question may be carried out more than once: ask
 * only what may be repeated.
 */

import type { Done } from "../base/done.js";
import { KvError } from "../base/errors.js";
import { invariant } from "../base/invariant.js";
import type { Clock } from "../platform/clock.js";
import type { PeerMethod } from "./codec.js";

/** Milliseconds between two looks at the leader and at the connection to it. */
const lookMs = 50;

export interface LeaderQuestion<T> {
  readonly method: PeerMethod;
  /** Answers the question at this member, when it leads. */
  here(done: Done<T>): void;
  encode(): Uint8Array;
  decode(answer: Uint8Array): T;
  /** Returns true if asking again would not help: the asker gets this error at once. */
  isFinal?(error: KvError): boolean;
}

export interface LeaderRequestsParts {
  readonly clock: Clock;
  /** Milliseconds that a question may take. */
  readonly timeoutMs: number;
  /** 0n: no leader is known. */
  leader(): bigint;
  isLeader(): boolean;
  isStopping(): boolean;
  /** Since when the peer can be reached. Undefined: it cannot. */
  activeSince(id: bigint): number | undefined;
  /** Returns a function that drops the request: `done` is not called any more. */
  request(
    target: { readonly to: bigint; readonly method: PeerMethod; readonly timeoutMs: number },
    body: Uint8Array,
    done: Done<Uint8Array>,
  ): () => void;
}

/** Which member was asked, and over which connection. */
interface Asked {
  readonly leader: bigint;
  readonly activeSince: number | undefined;
}

interface Open {
  readonly untilMs: number;
  /** Undefined: nobody is asked at present. */
  asked: Asked | undefined;
  /** Why the last attempt failed. Undefined: no leader is known. An error costs more than a question. */
  error: KvError | undefined;
  ask(): void;
  drop(): void;
  end(error: KvError): void;
}

export class LeaderRequests {
  readonly #parts: LeaderRequestsParts;
  /**
   * Open questions in the order in which they began, which is also the order of their deadlines.
   */
  readonly #open = new Set<Open>();
  #isLooking = false;

  constructor(parts: LeaderRequestsParts) {
    this.#parts = parts;
  }

  /**
   * Calls `done` once: with the leader's answer, with a final error, or at the end of the time with
   * `noLeader`, `timeout` or the leader's last error. A stop of this member ends it with `stopped`.
   */
  ask<T>(question: LeaderQuestion<T>, done: Done<T>): void {
    let attempt = 0;
    let drop = (): void => {};
    const open: Open = {
      untilMs: this.#parts.clock.now() + this.#parts.timeoutMs,
      asked: undefined,
      error: undefined,
      ask: () => {
        const own = ++attempt;
        drop = this.#send(open, question, (answer) => {
          if (own === attempt && this.#open.has(open)) this.#answered(open, question, answer, done);
        });
      },
      drop: () => {
        attempt++;
        drop();
        drop = () => {};
        open.asked = undefined;
      },
      end: done,
    };
    this.#open.add(open);
    open.ask();
    this.#lookLater();
  }

  /** Ends all open questions with `error`. */
  failAll(error: KvError): void {
    const all = [...this.#open];
    this.#open.clear();
    for (const open of all) {
      open.drop();
      open.end(error);
    }
  }

  /** Call when another member leads: questions to the former leader go to the new one at once. */
  leaderChanged(): void {
    this.#lookAtAll();
  }

  #send<T>(open: Open, question: LeaderQuestion<T>, answered: Done<T>): () => void {
    const { clock } = this.#parts;
    const leader = this.#parts.leader();
    const activeSince = this.#parts.activeSince(leader);
    if (this.#parts.isLeader()) {
      open.asked = { leader, activeSince };
      question.here(answered);
      return () => {};
    }
    if (leader === 0n || activeSince === undefined) {
      if (leader === 0n) open.error = undefined;
      return () => {};
    }
    open.asked = { leader, activeSince };
    const timeoutMs = Math.max(0, open.untilMs - clock.now());
    return this.#parts.request(
      { to: leader, method: question.method, timeoutMs },
      question.encode(),
      (answer) => answered(answer instanceof KvError ? answer : question.decode(answer)),
    );
  }

  #answered<T>(open: Open, question: LeaderQuestion<T>, answer: T | KvError, done: Done<T>): void {
    open.asked = undefined;
    if (answer instanceof KvError) {
      open.error = answer;
      const mayAskAgain = question.isFinal?.(answer) !== true && !this.#isOver(open);
      if (mayAskAgain) return;
      this.#end(open);
      return;
    }
    this.#open.delete(open);
    done(answer);
  }

  #isOver(open: Open): boolean {
    return this.#parts.isStopping() || this.#parts.clock.now() >= open.untilMs;
  }

  #end(open: Open): void {
    open.drop();
    invariant(this.#open.delete(open), "a question to the leader ends twice");
    const { error = new KvError("noLeader") } = open;
    if (this.#parts.isStopping()) open.end(new KvError("stopped"));
    else if (error.reason === "notLeader" || error.reason === "stopped") {
      open.end(new KvError("timeout"));
    } else open.end(error);
  }

  #lookLater(): void {
    if (this.#isLooking || this.#open.size === 0) return;
    this.#isLooking = true;
    this.#parts.clock.after(lookMs, () => {
      this.#isLooking = false;
      this.#lookAtAll();
      this.#lookLater();
    });
  }

  #lookAtAll(): void {
    for (const open of [...this.#open]) {
      if (!this.#open.has(open)) continue;
      if (this.#isOver(open)) {
        if (open.asked !== undefined) open.error = new KvError("timeout");
        this.#end(open);
        continue;
      }
      if (open.asked !== undefined && this.#isLost(open.asked)) open.drop();
      if (open.asked === undefined) open.ask();
    }
  }

  /** The answer may never come: another member leads, or the connection broke since. */
  #isLost(asked: Asked): boolean {
    const leader = this.#parts.leader();
    return leader !== asked.leader || this.#parts.activeSince(leader) !== asked.activeSince;
  }
}
