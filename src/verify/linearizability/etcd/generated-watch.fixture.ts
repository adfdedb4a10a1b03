/**
 * For tests and benchmarks only: one watch of a generated history, answered as etcd answers. Whole
 * revisions in order from the requested one on; progress only after all events before it; one last
 * answer when the requested revision is compacted.
 */
import type { Rng } from "../../../platform/rng.js";
import type { KeyRange, Watch, WatchEvent, WatchResponse } from "../../history/types.js";
import { type AtomicState, isWithin } from "./atomic-store.fixture.js";

export interface GeneratedWatchOptions {
  readonly id: number;
  readonly callUs: number;
  readonly rng: Rng;
  readonly keys: number;
  readonly state: () => AtomicState;
  readonly eventsAt: (revision: number) => readonly WatchEvent[];
}

const revisionsInAnswerMax = 5;

export class GeneratedWatch {
  readonly #options: GeneratedWatchOptions;
  readonly #responses: WatchResponse[] = [];
  readonly #head: Omit<Watch, "responses">;
  #next: number | undefined;
  #isCanceled = false;

  constructor(options: GeneratedWatchOptions) {
    const { rng, id, callUs, keys } = options;
    this.#options = options;
    const revision = rng.int(2) === 0 ? 0 : Math.max(1, options.state().revision - 4 + rng.int(12));
    const one: KeyRange = { key: `k${String(rng.int(keys)).padStart(2, "0")}` };
    this.#head = {
      id,
      client: 1_000 + id,
      member: `m${1 + (id % 3)}`,
      callUs,
      range: rng.int(4) === 0 ? one : { key: "k", end: rng.int(2) === 0 ? "l" : "\0" },
      revision,
      prevKv: rng.int(2) === 0,
      progressNotify: rng.int(2) === 0,
      filters: ([[], [], [], ["put"], ["delete"]] as const)[rng.int(5)] ?? [],
    };
  }

  recorded(): Watch {
    return { ...this.#head, responses: this.#responses };
  }

  /** @param isLast deliver everything that is left at once */
  deliver(atUs: number, isLast: boolean): void {
    if (this.#isCanceled) return;
    const { state, rng } = this.#options;
    const { revision, compactRevision } = state();
    if (this.#next === undefined) {
      this.#responses.push({ atUs, revision, events: [], created: true });
      this.#next = this.#head.revision === 0 ? revision + 1 : this.#head.revision;
      if (this.#next < compactRevision) {
        this.#isCanceled = true;
        this.#responses.push({ atUs, revision, events: [], canceled: true, compactRevision });
      }
      return;
    }
    do this.#answerOnce(atUs, { revision, compactRevision });
    while (isLast && this.#next <= revision);
    const isIdle = this.#next > revision && revision >= this.#head.revision - 1;
    if (isIdle && this.#head.progressNotify && (isLast || rng.int(3) === 0)) {
      this.#responses.push({ atUs, revision, events: [] });
    }
  }

  #answerOnce(
    atUs: number,
    now: { readonly revision: number; readonly compactRevision: number },
  ): void {
    const first = this.#next as number;
    const past = Math.min(
      now.revision + 1,
      first + 1 + this.#options.rng.int(revisionsInAnswerMax),
    );
    const events: WatchEvent[] = [];
    for (let revision = first; revision < past; revision++) {
      for (const event of this.#options.eventsAt(revision)) {
        if (this.#isWanted(event)) events.push(this.#shown(event, now.compactRevision));
      }
    }
    this.#next = Math.max(first, past);
    if (events.length > 0) this.#responses.push({ atUs, revision: now.revision, events });
  }

  #isWanted({ key, type }: WatchEvent): boolean {
    return isWithin(this.#head.range, key) && !this.#head.filters.includes(type);
  }

  /** Does not show a predecessor that is compacted. */
  #shown(event: WatchEvent, compactRevision: number): WatchEvent {
    if (this.#head.prevKv && event.mod - 1 >= compactRevision) return event;
    const { prev: _, ...rest } = event;
    return rest;
  }
}
