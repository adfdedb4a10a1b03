/**
 * The long reads that an operator asks of one member: hashes and copies of its state. Each belongs to its
 * request: what it throws is that request's answer, and all of them end when the member stops, because
 * the backend stays open as long as somebody looks at it.
 */
import type { BackendSnapshot } from "../platform/backend.js";
import type { Clock } from "../platform/clock.js";
import type { HashKv } from "../state/types.js";
import type { Committer } from "./committer.js";
import { hashAll, hashKv, type JobOwner, runJob, streamSnapshot } from "./maintenance.js";
import type { StateStore } from "./state-store.js";
import type { Done, Member } from "./types.js";

export interface OperatorJobsParts {
  readonly clock: Clock;
  readonly committer: Committer;
  readonly state: StateStore;
  readonly member: Pick<Member, "refusal" | "requestFailed">;
}

export class OperatorJobs {
  readonly #parts: OperatorJobsParts;
  readonly #views = new Set<BackendSnapshot>();

  constructor(parts: OperatorJobsParts) {
    this.#parts = parts;
  }

  /** Closes what is being looked at: the requests end when they look again. */
  stop(): void {
    for (const view of this.#views) view.close();
    this.#views.clear();
  }

  hashKv(revision: number, done: Done<HashKv & { readonly currentRevision: number }>): void {
    const { clock, state } = this.#parts;
    hashKv(clock, state.machine().kv, revision, this.#owner(done));
  }

  hash(done: Done<number>): void {
    this.#view(done, (view) => {
      const hashed: Done<number> = (result) => {
        view.close();
        done(result);
      };
      runJob(this.#parts.clock, hashAll(view), this.#owner(hashed));
    });
  }

  openSnapshot(done: Done<ReturnType<typeof streamSnapshot>>): void {
    this.#view(done, (view) => done(streamSnapshot(view)));
  }

  /** All that is applied now is in the view; `look` owns it unless it throws. */
  #view<T>(done: Done<T>, look: (view: BackendSnapshot) => void): void {
    const { committer, state, member } = this.#parts;
    committer.flush(() => {
      let view: BackendSnapshot | undefined;
      try {
        view = this.#tracked(state.backend().snapshot());
        look(view);
      } catch (error) {
        view?.close();
        done(member.requestFailed(error));
      }
    });
  }

  #tracked(view: BackendSnapshot): BackendSnapshot {
    const tracked: BackendSnapshot = {
      get: (bucket, key) => view.get(bucket, key),
      scan: (bucket, range, visit) => view.scan(bucket, range, visit),
      close: () => {
        this.#views.delete(tracked);
        view.close();
      },
    };
    this.#views.add(tracked);
    return tracked;
  }

  #owner<T>(done: Done<T>): JobOwner<T> {
    const { member } = this.#parts;
    return {
      done,
      refusal: () => member.refusal(),
      failed: (error) => member.requestFailed(error),
    };
  }
}
