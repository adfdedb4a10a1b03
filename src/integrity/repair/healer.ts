/**
 * Gets a right state for a member in quarantine. It asks the leader for leave, then a healthy voter
 * for a frozen state, then the other voters whether they had the same state. Only if a quorum
 * agrees does it fetch the state. A failure at any step changes nothing. The next attempt asks
 * another member, after a pause that doubles each time.
 */

import type { Done } from "../../base/done.js";
import { KvError } from "../../base/errors.js";
import { PeerMethod } from "../../peers/codec.js";
import type { Clock, Timer } from "../../platform/clock.js";
import { decodeManifest, manifestBytes } from "../../snapshot/source.js";
import { differenceOf, type Fingerprint, readFingerprint } from "../../state/fingerprint.js";
import { decodeOtherLog, type OtherLog } from "../divergence/other-log.js";
import { encodeHealRequest, HealRequest } from "../heal-request.js";
import { indexBody } from "../inquiry.js";

const firstPauseMs = 250;
const pauseMsMax = 60_000;
const pollMs = 20;

export interface HealerParts {
  readonly clock: Clock;
  readonly selfId: bigint;
  leader(): bigint;
  term(): number;
  voters(): readonly bigint[];
  request(to: bigint, method: PeerMethod, body: Uint8Array, done: Done<Uint8Array>): void;
  /** Applied to the stand-in. */
  appliedIndex(): number;
  /** The oldest index after which this member's log can continue. */
  firstIndex(): number;
  /** Pulls the state at `index` into a backend of its own and proves it against its manifest. */
  fetch(from: bigint, index: number, done: (error: Error | undefined) => void): void;
  /** Puts the fetched state in use, after it has applied everything that the stand-in has. */
  adopt(index: number, done: (error: Error | undefined) => void): void;
  /** The state in use is right as far as this member can tell. */
  adopted(index: number): void;
  /** The leader refuses, because this member's log belongs to another history. The healer stops. */
  hasOtherLog(otherLog: OtherLog): void;
  log(level: "info" | "warn", message: string, fields: Readonly<Record<string, unknown>>): void;
}

/** The steps of an attempt to heal, as logs and incidents name the one that failed. */
export type HealStep =
  | "find the leader"
  | "ask the leader for leave"
  | "ask a member for its state"
  | "confirm the state"
  | "fit the state to the log"
  | "wait for the log"
  | "fetch the state"
  | "put the state in use";

export class Healer {
  readonly #parts: HealerParts;
  #timer: Timer | undefined;
  #failures: number;
  #attempts = 0;
  /** The term of the leader that gave leave. */
  #leaveTerm = 0;
  #isStopped = false;

  constructor(parts: HealerParts, failures: number) {
    this.#parts = parts;
    this.#failures = failures;
  }

  start(): void {
    this.#after(this.#failures === 0 ? 0 : this.#pauseMs());
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #pauseMs(): number {
    return Math.min(pauseMsMax, firstPauseMs * 2 ** Math.min(this.#failures, 12));
  }

  #after(ms: number): void {
    this.#timer = this.#parts.clock.after(ms, () => this.#attempt());
  }

  #failed(step: HealStep, error: Error | undefined): void {
    if (this.#isStopped) return;
    this.#failures++;
    const pauseMs = this.#pauseMs();
    this.#parts.log("warn", "could not heal yet", {
      step,
      error: error?.message ?? "no answer",
      failures: this.#failures,
      "retry-in-ms": pauseMs,
    });
    this.#after(pauseMs);
  }

  #attempt(): void {
    if (this.#isStopped) return;
    const leader = this.#parts.leader();
    const sources = this.#parts.voters().filter((id) => id !== this.#parts.selfId);
    if (leader === 0n || leader === this.#parts.selfId || sources.length === 0) {
      this.#failed("find the leader", new Error("no other member leads"));
      return;
    }
    const healRequest = encodeHealRequest(HealRequest.mayHeal, this.#parts.appliedIndex());
    this.#leaveTerm = this.#parts.term();
    this.#parts.request(leader, PeerMethod.healRequest, healRequest, (answer) => {
      if (this.#isStopped) return;
      if (answer instanceof KvError) {
        this.#failed("ask the leader for leave", answer);
        return;
      }
      const otherLog = decodeOtherLog(answer);
      if (otherLog !== undefined) this.#parts.hasOtherLog(otherLog);
      else this.#askSource(sources[this.#attempts++ % sources.length] as bigint);
    });
  }

  #askSource(source: bigint): void {
    this.#parts.request(source, PeerMethod.healOffer, new Uint8Array(0), (answer) => {
      if (this.#isStopped) return;
      const body = answer instanceof KvError ? undefined : answer;
      const manifest = body && decodeManifest(body.subarray(0, manifestBytes));
      const fingerprint = body && readFingerprint(body, manifestBytes);
      if (manifest === undefined || fingerprint?.index !== manifest.index) {
        this.#failed("ask a member for its state", answer instanceof KvError ? answer : undefined);
      } else this.#confirm(source, fingerprint);
    });
  }

  /**
   * The offered state must be that of a quorum, not counting this member if it is needed for one. A
   * member that knows that its own state is wrong can confirm nothing. If only such members are
   * missing, the source checks its rows against its digests instead.
   */
  #confirm(source: bigint, offered: Fingerprint): void {
    const voters = this.#parts.voters();
    const needed = Math.min(Math.floor(voters.length / 2) + 1, voters.length - 1);
    const others = voters.filter((id) => id !== source && id !== this.#parts.selfId);
    let agreeing = voters.includes(source) ? 1 : 0;
    let wrong = 0;
    let waiting = others.length;
    let isOver = false;
    const look = (): void => {
      if (isOver || this.#isStopped) return;
      if (agreeing < needed && waiting > 0) return;
      isOver = true;
      if (agreeing >= needed) this.#waitForLog(source, offered.index, 0);
      else if (agreeing > 0 && agreeing + wrong === voters.length - 1) {
        this.#askForProof(source, offered.index);
      } else this.#failed("confirm the state", new Error(`${agreeing} of ${needed} members agree`));
    };
    for (const id of others) {
      const body = indexBody(offered.index);
      this.#parts.request(id, PeerMethod.integrityEvidence, body, (answer) => {
        const theirs = answer instanceof KvError ? undefined : readFingerprint(answer);
        waiting--;
        if (answer instanceof KvError && answer.reason === "corrupt") wrong++;
        if (theirs?.index === offered.index && differenceOf(theirs, offered) === "none") agreeing++;
        look();
      });
    }
    look();
  }

  /** Asks the source to check all its rows against its digests. */
  #askForProof(source: bigint, index: number): void {
    const nothing = new Uint8Array(0);
    this.#parts.request(source, PeerMethod.integritySelfCheck, nothing, (answer) => {
      if (this.#isStopped) return;
      if (!(answer instanceof KvError) && answer[0] === 1) this.#waitForLog(source, index, 0);
      else this.#failed("confirm the state", answer instanceof KvError ? answer : undefined);
    });
  }

  /** This member's log must reach the offered index before it can continue from it. */
  #waitForLog(source: bigint, index: number, waitedMs: number): void {
    if (this.#isStopped) return;
    if (index + 1 < this.#parts.firstIndex()) {
      this.#failed("fit the state to the log", new Error("our log begins later"));
    } else if (this.#parts.appliedIndex() >= index) this.#fetch(source, index);
    else if (waitedMs > 5_000) this.#failed("wait for the log", undefined);
    else {
      this.#timer = this.#parts.clock.after(pollMs, () =>
        this.#waitForLog(source, index, waitedMs + pollMs),
      );
    }
  }

  #fetch(source: bigint, index: number): void {
    if (this.#parts.term() !== this.#leaveTerm) {
      // The new leader may have given leave to another member.
      this.#failed("fetch the state", new Error("another member leads since leave was given"));
      return;
    }
    this.#parts.log("info", "fetching a right state", {
      from: source.toString(16),
      "snapshot-index": index,
    });
    this.#parts.fetch(source, index, (error) => {
      if (this.#isStopped) return;
      if (error !== undefined) {
        this.#failed("fetch the state", error);
        return;
      }
      this.#parts.adopt(index, (refusal) => {
        if (this.#isStopped) return;
        if (refusal === undefined) this.#parts.adopted(index);
        else this.#failed("put the state in use", refusal);
      });
    });
  }
}
