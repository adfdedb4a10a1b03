/**
 * Requests on their way through the log. A proposal is queued until raft can take it (there may be
 * no leader for a moment). Then it waits until its entry is applied here. Every proposal ends once:
 * with its outcome, or after the request timeout with etcd's text for the likely cause. After a
 * timeout the entry may still be applied.
 */

import type { Done } from "../../base/done.js";
import { KvError } from "../../base/errors.js";
import { invariant } from "../../base/invariant.js";
import type { EntryType } from "../../raft/types.js";
import type { Applied } from "../../state/types.js";

export interface QueuedEntry {
  readonly type: EntryType;
  readonly data: Uint8Array;
  /**
   * Set for a decision that only the leader may take, undefined for a request of a client. The
   * decision is dropped if this member no longer leads, or if this function says no just before the
   * append.
   */
  readonly isRight: (() => boolean) | undefined;
}

interface Waiting {
  readonly sinceMs: number;
  readonly done: Done<Applied>;
}

/**
 * The most requests that wait at a time, and the most bytes of them. When they are reached, the
 * gate refuses requests of clients.
 */
const waitingMax = 100_000;
const queuedBytesMax = 128 * 1024 * 1024;

export class Proposals {
  /** Waiting requests by id, in order of arrival, which is also the order of their deadlines. */
  readonly #waiting = new Map<number, Waiting>();
  #queue: QueuedEntry[] = [];
  #queuedBytes = 0;
  #nextId: number;
  failed = 0;

  /** `firstId` must be above every id that an earlier life of this member used. */
  constructor(firstId: number) {
    this.#nextId = firstId;
  }

  /** A fresh id, above all earlier ones. */
  nextId(): number {
    return this.#nextId++;
  }

  /** How many requests wait for their answer. */
  pending(): number {
    return this.#waiting.size;
  }

  /** True while somebody waits for this request's answer. */
  isWaiting(id: number): boolean {
    return this.#waiting.has(id);
  }

  /** True while as many requests wait as a member keeps. */
  isFull(): boolean {
    return this.#waiting.size >= waitingMax || this.#queuedBytes >= queuedBytesMax;
  }

  /** Starts to wait for `id`. */
  add(id: number, nowMs: number, done: Done<Applied>): void {
    invariant(!this.#waiting.has(id), "two requests wait under one id", () => ({ id }));
    this.#waiting.set(id, { sinceMs: nowMs, done });
  }

  enqueue(type: EntryType, data: Uint8Array, isRight?: () => boolean): void {
    this.#queue.push({ type, data, isRight });
    this.#queuedBytes += data.length;
  }

  hasQueued(): boolean {
    return this.#queue.length > 0;
  }

  /** All queued entries, for one raft step. Call `putBack` if raft cannot take them now. */
  takeQueued(): readonly QueuedEntry[] {
    const entries = this.#queue;
    this.#queue = [];
    this.#queuedBytes = 0;
    return entries;
  }

  putBack(entries: readonly QueuedEntry[]): void {
    this.#queue = [...entries, ...this.#queue];
    for (const entry of entries) this.#queuedBytes += entry.data.length;
  }

  /** Ends the request whose entry was applied. Ignores unknown ids (another life, timed out). */
  settle(id: number, applied: Applied): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    waiting.done(applied.outcome instanceof KvError ? applied.outcome : applied);
  }

  /** Ends the requests begun before `deadlineMs`. `cause` makes the error from the begin time. */
  expire(deadlineMs: number, cause: (sinceMs: number) => KvError): void {
    for (const [id, waiting] of this.#waiting) {
      if (waiting.sinceMs > deadlineMs) return;
      this.#waiting.delete(id);
      this.failed++;
      waiting.done(cause(waiting.sinceMs));
    }
    // Nobody waits any more, so entries that raft never got must not be proposed later.
    if (this.#waiting.size === 0) this.takeQueued();
  }

  /** Ends all waiting requests with `error`, and drops what raft has not got. */
  failAll(error: KvError): void {
    this.takeQueued();
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const waiting of all) waiting.done(error);
  }
}
