/**
 * The leader's questions after a difference. It asks each member for its fingerprint at that index.
 * A strict majority of the voters decides at once. A member that no longer knows that index, because
 * it was restarted or has applied much since, counts for the state that it shares with the leader at
 * a later index: states that come from the same entries and are equal there have the same past. Without a majority, each member that differs
 * checks its rows against its digests; a member whose check fails is wrong. If that decides nothing
 * either, the cluster has to stop answering.
 */

import type { Done } from "../base/done.js";
import { KvError } from "../base/errors.js";
import { invariant } from "../base/invariant.js";
import { PeerMethod } from "../peers/codec.js";
import type { Clock, Timer } from "../platform/clock.js";
import { differenceOf, type Fingerprint, readFingerprint } from "../state/fingerprint.js";
import { judge } from "./decision.js";

/** How often the leader asks members that do not answer. */
const roundsMax = 4;

export interface InquiryParts {
  readonly clock: Clock;
  readonly selfId: bigint;
  /** One round of questions. */
  readonly roundMs: number;
  voters(): readonly bigint[];
  /** The other members, with learners, without this one. */
  others(): readonly bigint[];
  request(to: bigint, method: PeerMethod, body: Uint8Array, done: Done<Uint8Array>): void;
  /** True if that member's state was equal to this member's at this index or a later one. */
  isEqualSince(id: bigint, index: number): boolean;
  /** Checks this member's rows against its digests. */
  checkSelf(done: (isSound: boolean) => void): void;
}

export interface InquiryResult {
  readonly index: number;
  readonly evidence: ReadonlyMap<bigint, Fingerprint>;
  /** The members that are wrong. Empty: all answers agree after all, or nothing can be decided. */
  readonly suspects: readonly bigint[];
  readonly by: "majority" | "self-check" | "undecided";
}

export class Inquiry {
  readonly #parts: InquiryParts;
  readonly #index: number;
  readonly #done: (result: InquiryResult) => void;
  readonly #evidence = new Map<bigint, Fingerprint>();
  /** The results of self-checks. Members that did not answer are absent. */
  readonly #sound = new Map<bigint, boolean>();
  /** Members that said that their own state is wrong, and gave no fingerprint. */
  readonly #admitted = new Set<bigint>();
  /** Members that no longer know the index, and were equal to this member later. */
  readonly #equalLater = new Set<bigint>();
  readonly #mine: Fingerprint;
  #timer: Timer | undefined;
  #rounds = 0;
  #isOver = false;

  /** `known`: this member's fingerprint and that of the member whose state differs. */
  constructor(
    parts: InquiryParts,
    known: { readonly mine: Fingerprint; readonly peer?: bigint; readonly theirs?: Fingerprint },
    done: (result: InquiryResult) => void,
  ) {
    this.#parts = parts;
    this.#mine = known.mine;
    this.#index = known.mine.index;
    this.#done = done;
    this.#evidence.set(parts.selfId, known.mine);
    const { peer, theirs } = known;
    if (peer !== undefined && theirs !== undefined) this.#evidence.set(peer, theirs);
  }

  start(): void {
    this.#ask();
  }

  stop(): void {
    this.#isOver = true;
    this.#timer?.cancel();
  }

  #ask(): void {
    this.#rounds++;
    const { clock, roundMs } = this.#parts;
    this.#timer = clock.after(roundMs, () => {
      if (this.#rounds < roundsMax && this.#missing().length > 0) this.#ask();
      else this.#askForSelfChecks();
    });
    const missing = this.#missing();
    for (const id of missing) {
      this.#parts.request(id, PeerMethod.integrityEvidence, indexBody(this.#index), (answer) => {
        if (this.#isOver) return;
        this.#answered(id, answer);
      });
    }
    if (missing.length === 0) this.#weigh();
  }

  #answered(id: bigint, answer: KvError | Uint8Array): void {
    if (answer instanceof KvError) {
      if (answer.reason === "corrupt") this.#admitted.add(id);
      else if (answer.reason !== "compacted" || !this.#parts.isEqualSince(id, this.#index)) return;
      else this.#equalLater.add(id);
    } else {
      const fingerprint = readFingerprint(answer);
      if (fingerprint?.index !== this.#index) return;
      this.#evidence.set(id, fingerprint);
    }
    this.#weigh();
  }

  #missing(): readonly bigint[] {
    const answers = [this.#evidence, this.#admitted, this.#equalLater];
    return this.#parts.others().filter((id) => !answers.some((known) => known.has(id)));
  }

  #weigh(): void {
    if (this.#isOver || this.#sound.size > 0) return;
    const supporters = [...this.#equalLater].map((id) => [id, this.#mine] as const);
    const verdict = judge(this.#parts.voters(), new Map([...supporters, ...this.#evidence]));
    if (verdict !== undefined) this.#end(verdict.suspects, "majority");
    else if (this.#missing().length === 0) this.#askForSelfChecks();
  }

  /** There is a tie, or too few members answer. */
  #askForSelfChecks(): void {
    if (this.#isOver || this.#sound.size > 0) return;
    this.#timer?.cancel();
    const { clock, roundMs, selfId } = this.#parts;
    const asked = [...this.#evidence.keys()];
    const told = (id: bigint, isSound: boolean): void => {
      if (this.#isOver) return;
      this.#sound.set(id, isSound);
      if (this.#sound.size === asked.length) this.#conclude();
    };
    for (const id of asked) {
      if (id === selfId) this.#parts.checkSelf((isSound) => told(id, isSound));
      else this.#askForSelfCheck(id, (isSound) => told(id, isSound), 1);
    }
    this.#timer = clock.after(roundMs * roundsMax * 10, () => this.#conclude());
  }

  #askForSelfCheck(id: bigint, told: (isSound: boolean) => void, attempt: number): void {
    const nothing = new Uint8Array(0);
    this.#parts.request(id, PeerMethod.integritySelfCheck, nothing, (answer) => {
      if (this.#isOver) return;
      if (!(answer instanceof KvError)) told(answer[0] === 1);
      else if (answer.reason === "corrupt") told(false);
      else if (attempt < roundsMax) this.#askForSelfCheck(id, told, attempt + 1);
    });
  }

  #conclude(): void {
    if (this.#isOver) return;
    const unsound = [...this.#sound].filter(([, isSound]) => !isSound).map(([id]) => id);
    const wrong = [...new Set([...unsound, ...this.#admitted])];
    const sound = [...this.#sound].filter(([, isSound]) => isSound).map(([id]) => id);
    const states = sound.flatMap((id) => this.#evidence.get(id) ?? []);
    const first = states[0];
    // The members that passed may differ among each other, too.
    const isOne =
      first !== undefined && states.every((state) => differenceOf(state, first) === "none");
    if (wrong.length > 0 && isOne) this.#end(wrong, "self-check");
    else this.#end([], "undecided");
  }

  #end(suspects: readonly bigint[], by: InquiryResult["by"]): void {
    invariant(!this.#isOver, "an inquiry ends twice", () => ({ index: this.#index }));
    this.stop();
    this.#done({ index: this.#index, evidence: this.#evidence, suspects, by });
  }
}

/** The index as a request's body: 8 bytes, float64, little-endian. */
export function indexBody(index: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, index, true);
  return bytes;
}

/** NaN: not an index. */
export function indexOf(body: Uint8Array): number {
  if (body.length < 8) return Number.NaN;
  return new DataView(body.buffer, body.byteOffset, 8).getFloat64(0, true);
}
