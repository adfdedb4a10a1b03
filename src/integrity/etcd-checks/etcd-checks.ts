/**
 * etcd's corruption checks, for people who expect them (docs/etcd-checks.md): the initial check of
 * a member that starts, and the leader's periodic and compaction checks. They hash only keys. They
 * find less, and later, than the comparison of fingerprints, which is always on. So they are off by
 * default, as in etcd. A finding raises etcd's cluster-wide alarm.
 */

import type { Done } from "../../base/done.js";
import { KvError, StartError } from "../../base/errors.js";
import type { Clock } from "../../platform/clock.js";
import type { MachineReader } from "../../state/types.js";
import { compared, differing, judgeCompaction, judgePeriodic } from "./judge-hashes.js";
import type { MemberHash, Told } from "./member-hash.js";

export interface EtcdCheckConfig {
  /** Compare with the other members before this one serves. */
  readonly initial: boolean;
  /** Milliseconds between periodic checks; 0: there are none. */
  readonly periodicMs: number;
  readonly compactHash: boolean;
  readonly compactHashMs: number;
}

export interface EtcdCheckParts {
  readonly clock: Clock;
  readonly selfId: bigint;
  readonly config: EtcdCheckConfig;
  machine(): MachineReader;
  isLeader(): boolean;
  /** Computes this member's hash at `revision`; 0: the newest one. */
  ownHash(revision: number, done: Done<MemberHash>): void;
  /** Another member's hash. */
  askHash(id: bigint, revision: number, done: (hash: MemberHash | KvError) => void): void;
  readBarrier(done: Done<void>): void;
  /** Proposes etcd's alarm CORRUPT for this member id (0: the cluster). */
  raise(memberId: bigint): void;
  /** The check failed: the member must not serve. */
  failed(error: Error): void;
  log(
    level: "info" | "warn" | "error",
    text: string,
    fields: Readonly<Record<string, unknown>>,
  ): void;
}

export class EtcdChecks {
  readonly #parts: EtcdCheckParts;
  #periodicDueMs: number;
  #compactDueMs: number;
  #isRunning = false;
  /** All members had equal hashes at the compactions up to this revision. */
  #checkedRevision = 0;

  constructor(parts: EtcdCheckParts) {
    this.#parts = parts;
    const nowMs = parts.clock.now();
    this.#periodicDueMs = nowMs + parts.config.periodicMs;
    this.#compactDueMs = nowMs + parts.config.compactHashMs;
  }

  /**
   * Calls `done` when the member may serve. Never calls it if the member's keys differ from another
   * member's.
   */
  initial(done: () => void): void {
    const { config, ownHash, log, failed } = this.#parts;
    if (!config.initial) {
      done();
      return;
    }
    log("info", "starting initial corruption check", {});
    ownHash(0, (own) => {
      if (own instanceof KvError) {
        failed(new StartError(`checkInitialHashKV failed: ${own.message}`));
        return;
      }
      this.#ask(own.hashRevision, (told) => {
        this.#tellUnanswered("initial corruption check", told);
        const others = differing(own, told);
        if (others.length > 0) {
          const names = others.map((id) => id.toString(16)).join(", ");
          failed(
            new StartError(
              `checkInitialHashKV failed: ${this.#name()} found data inconsistency with peers (${names}) at revision ${own.hashRevision}. Find out who is wrong with "lockstep ctl integrity", or start without --experimental-initial-corrupt-check`,
            ),
          );
          return;
        }
        log("info", "initial corruption checking passed; no corruption", {
          "number-of-peers-checked": compared(own, told),
        });
        done();
      });
    });
  }

  tick(nowMs: number): void {
    const { config } = this.#parts;
    const isPeriodic = config.periodicMs > 0 && nowMs >= this.#periodicDueMs;
    const isCompact = config.compactHash && nowMs >= this.#compactDueMs;
    if ((!isPeriodic && !isCompact) || this.#isRunning) return;
    if (isPeriodic) this.#periodicDueMs = nowMs + config.periodicMs;
    if (isCompact) this.#compactDueMs = nowMs + config.compactHashMs;
    // A member that is known to be wrong is not checked again.
    const isStopped = this.#parts
      .machine()
      .alarms()
      .some(({ alarm }) => alarm === "CORRUPT");
    if (!this.#parts.isLeader() || isStopped) return;
    this.#isRunning = true;
    const ended = (): void => {
      this.#isRunning = false;
    };
    const compaction = (): void => {
      if (isCompact) this.#compaction(this.#uncheckedRevisions(), ended);
      else ended();
    };
    if (isPeriodic) this.#periodic(compaction);
    else compaction();
  }

  #periodic(ended: () => void): void {
    const { ownHash, readBarrier, selfId, log } = this.#parts;
    ownHash(0, (before) => {
      if (before instanceof KvError) return ended();
      this.#ask(before.hashRevision, (told) => {
        readBarrier((refusal) => {
          if (refusal !== undefined) return ended();
          ownHash(0, (after) => {
            if (after instanceof KvError) return ended();
            this.#tellUnanswered("corruption check", told);
            this.#raise(judgePeriodic({ selfId, before, after, told }), before.hashRevision);
            log("info", "finished peer corruption check", {
              "number-of-peers-checked": compared(before, told),
            });
            ended();
          });
        });
      });
    });
  }

  /** Compares the newest compaction first, and goes back until one is equal at all members. */
  #compaction(revisions: readonly number[], ended: () => void): void {
    const { machine, selfId, log } = this.#parts;
    const [revision, ...older] = revisions;
    const own = machine()
      .kv.compactions()
      .find(({ hashRevision }) => hashRevision === revision);
    if (revision === undefined || own === undefined) {
      ended();
      return;
    }
    this.#ask(revision, (told) => {
      const verdict = judgeCompaction(selfId, { ...own, currentRevision: revision }, told);
      if (verdict.kind === "incomplete") {
        this.#compaction(older, ended);
        return;
      }
      ended();
      if (verdict.kind === "corrupt") this.#raise(verdict.suspects, revision);
      else {
        this.#checkedRevision = revision;
        log("info", "finished compaction hash check", { "compact-revision": revision });
      }
    });
  }

  #uncheckedRevisions(): readonly number[] {
    const hashes = this.#parts.machine().kv.compactions();
    return hashes.map((hash) => hash.hashRevision).filter((at) => at > this.#checkedRevision);
  }

  #ask(revision: number, done: (told: readonly Told[]) => void): void {
    const { machine, selfId, askHash } = this.#parts;
    const others = machine()
      .cluster.members()
      .filter(({ id }) => id !== selfId);
    const told: Told[] = [];
    if (others.length === 0) done(told);
    for (const { id } of others) {
      askHash(id, revision, (hash) => {
        told.push({ id, hash });
        if (told.length === others.length) done(told);
      });
    }
  }

  #raise(suspects: readonly bigint[], revision: number): void {
    for (const id of suspects) {
      this.#parts.log("error", "found hash mismatch between members; raising alarm CORRUPT", {
        "corrupted-member-id": id.toString(16),
        revision,
      });
      this.#parts.raise(id);
    }
  }

  #tellUnanswered(what: string, told: readonly Told[]): void {
    for (const { id, hash } of told) {
      if (!(hash instanceof KvError)) continue;
      const fields = { "remote-peer-id": id.toString(16), error: hash.message };
      this.#parts.log("warn", `${what}: a peer was not compared`, fields);
    }
  }

  #name(): string {
    return this.#parts.selfId.toString(16);
  }
}
