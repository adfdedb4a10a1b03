/**
 * Records what the monitor tells about states: to which incident each event belongs, and when the
 * incident is over. Then it finds out which rows of the state that was given up were wrong. It
 * decides nothing.
 */

import { KvError } from "../../base/errors.js";
import type { Backend } from "../../platform/backend.js";
import type { Clock, Timer } from "../../platform/clock.js";
import type { Disk } from "../../platform/disk.js";
import type { Sha256 } from "../../platform/hash.js";
import { isClusterCorrupt } from "../../state/alarm/alarm-set.js";
import { describeFingerprint } from "../../state/fingerprint.js";
import type { Applied, MachineReader, Outcome } from "../../state/types.js";
import type { FoundDifference } from "../comparison.js";
import type { InquiryResult } from "../inquiry.js";
import type { Quarantine } from "../quarantine-file.js";
import { type Incident, type IncidentStep, isEnded, type StepKind } from "./incident.js";
import { IncidentLog } from "./incident-log.js";
import { RowComparison } from "./row-comparison.js";

const cluster = 0n;
/** Milliseconds after which a difference that nobody confirmed counts as none. */
const quietMs = 10_000;

export interface IncidentsParts {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly sha256: Sha256;
  readonly selfId: bigint;
  /** The state in use. */
  right(): { readonly backend: Backend; readonly machine: MachineReader };
  /** Opens a backend that is kept aside. The caller closes it. */
  openAside(name: string, done: (result: Backend | Error) => void): void;
  log(level: "info" | "warn", message: string, fields: Readonly<Record<string, unknown>>): void;
}

export class Incidents {
  readonly #parts: IncidentsParts;
  readonly #log: IncidentLog;
  #open: number | undefined;
  /** True if an alarm was active during the open incident. */
  #isAlarmed = false;
  #isClusterStopped = false;
  /**
   * True if an inquiry of the open incident ended without a result. Further ones may say the same
   * again and again.
   */
  #isUndecided = false;
  #isOurs = false;
  #begun = 0;
  #ending: Timer | undefined;
  /** Set while the rows of a wrong state are compared. */
  #look: { isWanted: boolean; end: () => void } | undefined;

  constructor(parts: IncidentsParts) {
    this.#parts = parts;
    this.#log = new IncidentLog(parts.disk, (error) =>
      parts.log("warn", "the incident log cannot be written", { error: error.message }),
    );
  }

  all(): readonly Incident[] {
    return this.#log.all();
  }

  /** Incidents that began since this member started. */
  get begun(): number {
    return this.#begun;
  }

  /** Call when the member starts, in quarantine or not. */
  started(machine: MachineReader, quarantine: Quarantine | undefined): void {
    const last = this.#log.newest();
    if (last !== undefined && !isEnded(last)) {
      this.#open = last.number;
      this.#isAlarmed = true;
    }
    if (quarantine !== undefined) {
      const isKnown = last?.steps.some(({ kind }) => kind === "quarantined") && this.#open;
      if (isKnown) this.#isOurs = true;
      else this.entered(quarantine);
    } else if (hasCorrupt(machine))
      this.#isClusterStopped = machine.alarms().some(isClusterCorrupt);
    else this.#end("it was over when this member started");
  }

  stop(): void {
    this.#log.stop();
    this.#ending?.cancel();
    this.#stopRows();
  }

  differs(found: FoundDifference): void {
    if (this.#isUndecided) return;
    const { index } = found.mine;
    const what = found.difference === "log" ? "another log" : "another state from the same log";
    this.#note("detected", found.peer, {
      index,
      text: `${hex(found.peer)} has ${what} at index ${index}`,
      difference: found.difference,
      evidence: [
        `${hex(this.#parts.selfId)}: ${describeFingerprint(found.mine)}`,
        `${hex(found.peer)}: ${describeFingerprint(found.theirs)}`,
      ],
    });
  }

  decided({ index, by, suspects, evidence }: InquiryResult): void {
    const said = [...evidence].map(
      ([id, fingerprint]) => `${hex(id)}: ${describeFingerprint(fingerprint)}`,
    );
    const wrong = suspects.map(hex).join(", ");
    if (by === "undecided") {
      if (this.#isUndecided) return;
      this.#isUndecided = true;
      const text = "nobody can tell which state is right: the cluster stops serving";
      this.#note("undecided", cluster, { index, text, evidence: said });
      return;
    }
    this.#isUndecided = false;
    const text = wrong === "" ? "those that answered agree" : `wrong by ${by}: ${wrong}`;
    this.#note("decided", suspects[0] ?? cluster, { index, text, evidence: said });
    if (wrong === "") this.#endIfNothingFollows();
  }

  /**
   * A member that did not answer is compared again. If it still differs, that belongs to the same
   * incident.
   */
  #endIfNothingFollows(): void {
    const number = this.#open;
    this.#ending?.cancel();
    this.#ending = this.#parts.clock.after(quietMs, () => {
      const isSame = this.#open === number && !this.#isAlarmed && !this.#isOurs;
      if (isSame) this.#end("all states are equal, as far as this member knows");
    });
  }

  entered({ index, reason, evidence }: Quarantine): void {
    this.#stopRows();
    this.#isOurs = true;
    this.#note("quarantined", this.#parts.selfId, { index, text: reason, evidence });
  }

  /** The member `member` has committed entries that the leader's log lacks. */
  diverged(member: bigint, what: Pick<IncidentStep, "index" | "text" | "evidence">): void {
    if (member === this.#parts.selfId) this.#isOurs = true;
    this.#note("diverged", member, what);
  }

  /** The healer began an attempt, or an attempt failed. */
  healing(message: string, fields: Readonly<Record<string, unknown>>): void {
    const said = Object.entries(fields).map(([name, value]) => `${name} ${String(value)}`);
    this.#note("healing", this.#parts.selfId, { text: `${message}: ${said.join(", ")}` });
  }

  adopted(index: number): void {
    const text = `a right state fetched from another member is in use, applied up to ${index}`;
    this.#note("adopted", this.#parts.selfId, { index, text });
  }

  /** An entry was applied. */
  applied(machine: MachineReader, { outcome }: Applied): void {
    if (outcome instanceof KvError) return;
    if (outcome.kind === "verdict") this.#judged(machine, outcome);
    else if (outcome.kind !== "alarm" && outcome.kind !== "members") return;
    this.#lookAround(machine);
  }

  #judged(
    { appliedIndex: index }: MachineReader,
    { memberId, verdict }: Outcome & { readonly kind: "verdict" },
  ): void {
    const isContained = verdict === "contained";
    if (!isContained && this.#open === undefined) return;
    // The whole cluster's step is recorded when its alarm is seen.
    if (isContained && memberId === cluster) return;
    const whose = memberId === cluster ? "a majority of the members" : hex(memberId);
    const text = isContained
      ? `the log says that the state of ${whose} is wrong: it alone serves no clients`
      : `the log says that the state of ${whose} is right again`;
    this.#note(isContained ? "contained" : "cleared", memberId, { index, text });
    if (memberId === this.#parts.selfId && !isContained) this.#isOurs = false;
    // A member that heals fast may be cleared before anybody said that it was wrong.
    this.#isAlarmed = true;
  }

  /** A whole state came from the leader. This member did not see the log entries up to it. */
  replaced(machine: MachineReader): void {
    this.#lookAround(machine);
  }

  /** This member serves again, so there is time to compare the rows of the state kept aside. */
  healed(name: string): void {
    this.#isOurs = false;
    const number = this.#log.newest()?.number;
    if (number === undefined || name === "") return;
    const look = { isWanted: true, end: () => {} };
    this.#look = look;
    this.#parts.openAside(name, (wrong) => {
      if (wrong instanceof Error) {
        const text = `the rows of the wrong state cannot be told: ${wrong.message}`;
        if (look.isWanted) this.#addRows(number, { index: 0, text });
      } else if (look.isWanted) look.end = this.#compareRows(number, wrong);
      else wrong.close(() => {});
    });
  }

  /** Gives what ends it early. */
  #compareRows(number: number, wrong: Backend): () => void {
    const { clock, sha256, right } = this.#parts;
    const comparison = new RowComparison({ clock, sha256, right }, wrong, (rows) => {
      this.#stopRows();
      const { missing, extra, different, damaged } = rows.faults;
      const text = `of ${rows.compared} rows of the wrong state ${different} are different, ${damaged} damaged, ${extra} too many; ${missing} are missing`;
      this.#addRows(number, { index: rows.wrongIndex, text, rows });
    });
    return () => {
      comparison.stop();
      wrong.close(() => {});
    };
  }

  #addRows(number: number, what: Pick<IncidentStep, "index" | "text" | "rows">): void {
    const member = hex(this.#parts.selfId);
    this.#log.add(number, { kind: "rows", atMs: this.#parts.clock.unixMs(), member, ...what });
  }

  #stopRows(): void {
    const look = this.#look;
    this.#look = undefined;
    if (look === undefined) return;
    look.isWanted = false;
    look.end();
  }

  #lookAround(machine: MachineReader): void {
    const isStopped = machine.alarms().some(isClusterCorrupt);
    if (isStopped && !this.#isClusterStopped) {
      const text = "the alarm CORRUPT of the whole cluster is in force: no client is served";
      this.#note("undecided", cluster, { index: machine.appliedIndex, text });
    }
    this.#isClusterStopped = isStopped;
    if (hasCorrupt(machine)) this.#isAlarmed = true;
    else if (this.#isAlarmed && !this.#isOurs) this.#end("no member's state is known to be wrong");
  }

  #end(text: string): void {
    if (this.#open === undefined) return;
    this.#note("ended", cluster, { text });
    this.#open = undefined;
    this.#isAlarmed = false;
    this.#isUndecided = false;
  }

  #note(
    kind: StepKind,
    member: bigint,
    what: Omit<IncidentStep, "kind" | "atMs" | "member" | "index"> & { readonly index?: number },
  ): void {
    const atMs = this.#parts.clock.unixMs();
    const step: IncidentStep = { kind, atMs, member: hex(member), index: 0, ...what };
    if (this.#open === undefined) {
      this.#open = this.#log.begin(step);
      this.#begun++;
    } else this.#log.add(this.#open, step);
  }
}

function hex(id: bigint): string {
  return id.toString(16);
}

function hasCorrupt(machine: MachineReader): boolean {
  return machine.alarms().some(({ alarm }) => alarm === "CORRUPT");
}
