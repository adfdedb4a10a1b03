/** The pace of automatic compaction, on a clock that is moved by hand. */
import { describe, expect, test } from "vitest";
import { KvError } from "../../base/errors.js";
import { BusyClock } from "../../integrity/scrub/scrub.fixture.js";
import { AutoCompaction, type AutoCompactionConfig } from "./auto-compaction.js";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** A member whose revision is the number of minutes since its start, plus one. */
class Scene {
  readonly clock = new BusyClock();
  readonly compacted: string[] = [];
  isLeader = true;
  answer: KvError | undefined;
  readonly job: AutoCompaction;
  readonly #startMs = this.clock.now();

  constructor(config: Partial<AutoCompactionConfig>) {
    this.job = new AutoCompaction({
      clock: this.clock,
      config: { mode: "periodic", retention: hourMs, revisionLookMs: 5 * minuteMs, ...config },
      isLeader: () => this.isLeader,
      revision: () => 1 + this.minute(),
      compact: (revision, done) => {
        this.compacted.push(`${revision} at ${this.minute()}`);
        done(this.answer);
      },
      log: () => {},
    });
    this.job.start();
  }

  minute(): number {
    return Math.floor((this.clock.now() - this.#startMs) / minuteMs);
  }

  pass(minutes: number): void {
    this.clock.runTo(this.clock.now() + minutes * minuteMs);
  }
}

describe("periodic", () => {
  test("first after the retention, then each period, always at what was current that long ago", () => {
    const scene = new Scene({});
    scene.pass(59);
    expect(scene.compacted).toEqual([]);
    expect(scene.job.status()).toEqual({ lastRevision: 0, nextRevision: 1, dueInMs: minuteMs });
    scene.pass(1 + 60);
    expect(scene.compacted).toEqual(["1 at 60", "55 at 120"]);
    expect(scene.job.status()).toEqual({ lastRevision: 55, nextRevision: 61, dueInMs: hourMs });
  });

  test("a longer retention is kept whole, and compacted every hour", () => {
    const scene = new Scene({ retention: 3 * hourMs });
    scene.pass(5 * 60);
    expect(scene.compacted).toEqual(["1 at 180", "55 at 240", "115 at 300"]);
  });

  test("a shorter one is its own period; nothing new, nothing to do", () => {
    const scene = new Scene({ retention: 10 * minuteMs });
    scene.pass(30);
    expect(scene.compacted).toEqual(["1 at 10", "10 at 20", "20 at 30"]);
    scene.job.stop();
    scene.pass(60);
    expect(scene.compacted).toHaveLength(3);
  });

  test("a follower only takes notes, and goes on with them when it leads", () => {
    const scene = new Scene({});
    scene.isLeader = false;
    scene.pass(90);
    expect(scene.compacted).toEqual([]);
    expect(scene.job.status()?.dueInMs).toBeUndefined();
    scene.isLeader = true;
    scene.pass(10);
    expect(scene.compacted).toEqual(["31 at 96"]);
  });

  test("one that failed is tried again at the next look; one that others did counts as done", () => {
    const scene = new Scene({});
    scene.answer = new KvError("timeout");
    scene.pass(66);
    expect(scene.compacted).toEqual(["1 at 60", "1 at 66"]);
    scene.answer = new KvError("compacted");
    scene.pass(60);
    expect(scene.compacted).toEqual(["1 at 60", "1 at 66", "7 at 72"]);
  });
});

test("revision: every five minutes all but the newest of the number", () => {
  const scene = new Scene({ mode: "revision", retention: 8 });
  scene.pass(21);
  expect(scene.compacted).toEqual(["3 at 10", "8 at 15", "13 at 20"]);
});

test("retention 0: never, and no timer", () => {
  const scene = new Scene({ retention: 0 });
  expect(scene.clock.step()).toBe(false);
  expect(scene.job.status()).toBeUndefined();
});
