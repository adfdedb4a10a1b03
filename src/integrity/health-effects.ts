/** Carries out the effects that health.ts decides. It keeps no state of its own. */

import { KvError } from "../base/errors.js";
import { unreachable } from "../base/invariant.js";
import { PeerMethod } from "../peers/codec.js";
import { describeFingerprint } from "../state/fingerprint.js";
import type { Arbiter } from "./arbiter.js";
import type { Comparison, FoundDifference } from "./comparison.js";
import type { Evidence } from "./evidence.js";
import type { FingerprintRing } from "./fingerprint-ring.js";
import { encodeHealRequest, type HealRequest } from "./heal-request.js";
import type { HealthEffect } from "./health-types.js";
import type { MonitorParts } from "./monitor-parts.js";
import { type Quarantine, removeQuarantine, writeQuarantine } from "./quarantine-file.js";
import type { Healing } from "./repair/healing.js";
import type { WaitingReads } from "./waiting-reads.js";

export interface HealthEffectsParts
  extends Pick<
    MonitorParts,
    | "disk"
    | "incidents"
    | "raft"
    | "machine"
    | "request"
    | "standIn"
    | "mayLead"
    | "handOver"
    | "letGo"
    | "changed"
    | "failed"
    | "log"
  > {
  readonly ring: Pick<FingerprintRing, "clear">;
  readonly comparison: Pick<Comparison, "clear">;
  readonly arbiter: Pick<Arbiter, "investigate">;
  readonly evidence: Pick<Evidence, "refuse">;
  readonly reads: Pick<WaitingReads, "end">;
  readonly healing: Pick<Healing, "begin" | "stop">;
}

export class HealthEffects {
  readonly #parts: HealthEffectsParts;

  constructor(parts: HealthEffectsParts) {
    this.#parts = parts;
  }

  /**
   * Carries out the effects in order. After a disk error it skips the rest, because the member
   * stops.
   */
  perform(effects: readonly HealthEffect[]): void {
    for (const effect of effects) if (!this.#perform(effect)) return;
  }

  /** False: the disk failed. */
  #perform(effect: HealthEffect): boolean {
    const { arbiter, healing, reads, mayLead } = this.#parts;
    switch (effect.kind) {
      case "investigate":
        arbiter.investigate(effect.found);
        return true;
      case "answerReads":
        reads.end(undefined);
        return true;
      case "refuseReads":
        reads.end(new KvError("corrupt"));
        return true;
      case "writeNote":
        return this.#onDisk(() => this.#writeNote(effect.note));
      case "removeNote":
        return this.#onDisk(() => removeQuarantine(this.#parts.disk));
      case "standIn":
        return this.#onDisk(() => this.#parts.standIn());
      case "forgetFingerprints":
        this.#forgetFingerprints();
        return true;
      case "forbidLeading":
        mayLead(false);
        return true;
      case "stopLeading":
        mayLead(false);
        if (this.#parts.raft().isLeader()) this.#parts.handOver();
        return true;
      case "handOver":
        this.#parts.handOver();
        return true;
      case "heal":
        healing.begin(effect.failures);
        return true;
      case "serveAgain":
        mayLead(true);
        this.#parts.log("info", "healed: this member serves again", {});
        return true;
      case "askLeader":
        this.#askLeader(effect.request, effect.index);
        return true;
      case "letGo":
        this.#parts.letGo();
        return true;
      case "changed":
        this.#parts.changed();
        return true;
      default:
        this.#tell(effect);
        return true;
    }
  }

  /** What people are told. */
  #tell(effect: Extract<HealthEffect, { kind: "logQuarantine" | `note${string}` }>): void {
    switch (effect.kind) {
      case "noteDifference":
        this.#noteDifference(effect.found);
        break;
      case "logQuarantine":
        this.#logQuarantine(effect.note);
        break;
      case "noteAdoption":
        this.#noteAdoption(effect.index);
        break;
      case "noteHealed":
        this.#parts.incidents.healed(effect.backend);
        break;
      default:
        unreachable(effect);
    }
  }

  #onDisk(change: () => void): boolean {
    try {
      change();
    } catch (error) {
      this.#parts.failed(error as Error);
      return false;
    }
    return true;
  }

  #writeNote(note: Quarantine): void {
    const { disk, incidents } = this.#parts;
    writeQuarantine(disk, note);
    incidents.entered(note);
  }

  #forgetFingerprints(): void {
    const { evidence, ring, comparison } = this.#parts;
    evidence.refuse(new KvError("corrupt"));
    ring.clear();
    comparison.clear();
  }

  #askLeader(request: HealRequest, index: number): void {
    const body = encodeHealRequest(request, index);
    this.#parts.request(this.#parts.raft().leader(), PeerMethod.healRequest, body, () => {});
  }

  #noteDifference(found: FoundDifference): void {
    this.#parts.incidents.differs(found);
    this.#parts.log("warn", "states differ", {
      peer: found.peer.toString(16),
      difference: found.difference,
      mine: describeFingerprint(found.mine),
      theirs: describeFingerprint(found.theirs),
    });
  }

  #logQuarantine({ reason, index, evidence }: Quarantine): void {
    this.#parts.log(
      "warn",
      "quarantine: this member's state is wrong; it serves no clients until it is healed",
      { reason, index, evidence },
    );
  }

  #noteAdoption(index: number): void {
    const { appliedIndex } = this.#parts.machine();
    this.#parts.healing.stop();
    this.#parts.incidents.adopted(appliedIndex);
    this.#parts.log("info", "a right state is in use; it is compared before it is answered", {
      "snapshot-index": index,
      "applied-index": appliedIndex,
    });
  }
}
