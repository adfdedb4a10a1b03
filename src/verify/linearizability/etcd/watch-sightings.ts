/**
 * What watches say about each revision, if they are believed: these keys changed there, and no
 * other key of the watched range did. It decides which operation without an answer made a revision.
 */
import type { Watch, WatchEvent } from "../../history/types.js";
import { eventName, isAskedFor, seenWatch } from "../../watch-rules/seen-watch.js";

/** The part of a watch in which it tells of every change of its range. */
interface Stretch {
  readonly watch: Watch;
  readonly from: number;
  readonly to: number;
  readonly names: ReadonlySet<string>;
}

export class WatchSightings {
  /** By `from`, ascending. */
  readonly #stretches: readonly Stretch[];
  /** By mod revision. */
  readonly #events = new Map<number, Map<string, WatchEvent>>();

  constructor(watches: readonly Watch[]) {
    const stretches: Stretch[] = [];
    for (const watch of watches) {
      const { start, lowest, reached, names } = seenWatch(watch);
      const from = start ?? lowest;
      if (from !== undefined && from <= reached)
        stretches.push({ watch, from, to: reached, names });
      for (const { events } of watch.responses) for (const event of events) this.#add(event);
    }
    this.#stretches = stretches.sort((a, b) => a.from - b.from);
  }

  /**
   * Whether a request with these effects can have made the revision. False: a watch showed another
   * change there, or would have shown one of these.
   */
  allows(revision: number, effects: readonly WatchEvent[]): boolean {
    const shown = this.#events.get(revision);
    if (shown !== undefined) {
      let matched = 0;
      for (const { key, type } of effects) if (shown.get(key)?.type === type) matched++;
      if (matched < shown.size) return false;
    }
    for (const { watch, from, to, names } of this.#stretches) {
      if (from > revision) break;
      if (to < revision) continue;
      const isHidden = (event: WatchEvent): boolean =>
        isAskedFor(watch, event) && !names.has(eventName(event));
      if (effects.some(isHidden)) return false;
    }
    return true;
  }

  #add(event: WatchEvent): void {
    const events = this.#events.get(event.mod);
    if (events === undefined) this.#events.set(event.mod, new Map([[event.key, event]]));
    else events.set(event.key, event);
  }
}
