/** A history that cannot be read ends only the watchers that need it. */
import { expect, test } from "vitest";
import type { Clock } from "../../platform/clock.js";
import type { KvReader } from "../../state/types.js";
import { createWatchHub, type WatchHub } from "../../state/watch/hub.js";
import type { WatchNotice } from "../../state/watch/types.js";
import { WatchPacer } from "./watch-pacer.js";

const bug = new TypeError("a bug in reading history");

function watching(hub: WatchHub, startRevision: number): WatchNotice[] {
  const told: WatchNotice[] = [];
  const stream = hub.open((notice) => {
    told.push(notice);
    return true;
  }, false);
  stream.create({
    ...{ watchId: 0n, key: Buffer.from("k"), rangeEnd: new Uint8Array(0), startRevision },
    ...{ progressNotify: false, noPut: false, noDelete: false, prevKv: false },
  });
  return told;
}

test("the stream that is behind ends, the one at the head goes on, and so does the member", () => {
  const kv = {
    revision: () => 9,
    compactRevision: () => 0,
    history: () => {
      throw bug;
    },
  } as unknown as KvReader;
  const deferred: (() => void)[] = [];
  const clock = { defer: (fn: () => void) => void deferred.push(fn) } as unknown as Clock;
  const failures: unknown[] = [];
  const pacer = new WatchPacer({
    ...{ clock, electionMs: 1_000, watch: () => hub, hasLeader: () => true },
    ...{ isStopped: () => false, failed: (error) => failures.push(error) },
  });
  const hub = createWatchHub(kv, { onBehind: () => pacer.catchUp() });
  const behind = watching(hub, 3);
  const present = watching(hub, 0);
  for (let fn = deferred.shift(); fn !== undefined; fn = deferred.shift()) fn();
  expect(failures).toEqual([bug]);
  expect(behind.at(-1)).toEqual({ kind: "ended", cause: "failed" });
  const key = Buffer.from("k");
  const event = { key, value: new Uint8Array(1) };
  hub.notify({ revision: 10, events: [event as never] });
  expect(present.map(({ kind }) => kind)).toEqual(["created", "events"]);
  expect(behind.at(-1)?.kind).toBe("ended");
});
