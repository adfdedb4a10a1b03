/**
 * Decides when a started member begins to serve. It must have published itself, have proven its
 * state, and have passed etcd's initial check where that is on. A small state is proven before the
 * member takes part; a large one is proven here.
 */
import { DamageError } from "../../base/errors.js";
import { checkSelf } from "../../integrity/self-check.js";
import type { Platform } from "../../platform/platform.js";
import type { Committer } from "../../storage/committer.js";
import type { StateStore } from "../../storage/state-store.js";

export interface ReadinessParts {
  readonly platform: Pick<Platform, "clock" | "hash" | "log">;
  readonly memberId: bigint;
  readonly clusterId: bigint;
  /** The state was too large to be proven at the start. */
  readonly isUnproven: boolean;
  readonly committer: Pick<Committer, "flush">;
  readonly state: Pick<StateStore, "backend" | "machine" | "view">;
  isStopping(): boolean;
  /** etcd's initial check. Calls `done` unless the member must not serve. */
  initialCheck(done: () => void): void;
  failed(error: Error): void;
}

export class Readiness {
  readonly #parts: ReadinessParts;
  readonly #waiting: (() => void)[] = [];
  #isReady = false;

  constructor(parts: ReadinessParts) {
    this.#parts = parts;
  }

  isReady(): boolean {
    return this.#isReady;
  }

  /** Calls `fn` once, when the member serves; at once if it does already. */
  whenReady(fn: () => void): void {
    if (this.#isReady) fn();
    else this.#waiting.push(fn);
  }

  /** Call when the member's name and URLs stand in the replicated state. */
  published(): void {
    this.#prove(() => this.#parts.initialCheck(() => this.#becomeReady()));
  }

  #prove(done: () => void): void {
    if (!this.#parts.isUnproven) {
      done();
      return;
    }
    const { platform, committer, state } = this.#parts;
    const { clock, hash, log } = platform;
    const startedMs = clock.now();
    const isStopped = (): boolean => this.#parts.isStopping();
    log("info", "proving the state before it is served", {});
    const failed = (error: Error): void => this.#parts.failed(error);
    checkSelf({ clock, sha256: hash.sha256, committer, state, isStopped, failed }, (isSound) => {
      const tookMs = Math.round(clock.now() - startedMs);
      log("info", "proved the state", { "is-sound": isSound, "took-ms": tookMs });
      if (!isSound) {
        const what = "the rows do not match their digests: rows were lost, added or changed";
        this.#parts.failed(new DamageError({ finding: what }));
      }
      if (!isStopped()) done();
    });
  }

  #becomeReady(): void {
    const { platform, memberId, clusterId } = this.#parts;
    this.#isReady = true;
    platform.log("info", "published local member to cluster through raft", {
      "local-member-id": memberId.toString(16),
      "cluster-id": clusterId.toString(16),
    });
    for (const fn of this.#waiting.splice(0)) fn();
  }
}
