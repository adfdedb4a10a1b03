/** The law itself: it names each kind of error, and accepts what is right. */
import { describe, expect, test } from "vitest";
import { Law } from "./law.js";
import { indexRow, type Rows, replay, type StudyEntry, type Value } from "./log-entry.js";
import { UnitStore } from "./store.js";

const log: readonly StudyEntry[] = [
  { kind: "put", key: "a" },
  { kind: "leaseCheckpoint", leases: [1, 2], left: 10 },
  { kind: "failedTxn" },
  { kind: "put", key: "b" },
];
const law = new Law(log);

/** The content of `content` entries with the index row `index`. */
function image(content: number, index: number): Map<string, Value> {
  const rows = new Map<string, Value>();
  replay(log, rows, { from: 0, to: content });
  return rows.set(indexRow, index);
}

describe("one image", () => {
  test("content at its index is right, everywhere", () => {
    for (let index = 0; index <= log.length; index++) {
      expect(law.check(image(index, index), index)).toBeUndefined();
    }
    expect(law.check(new Map(), 0)).toBeUndefined();
  });

  test("an entry without rows moves the index alone", () => {
    expect(law.check(image(2, 3), 0)).toBeUndefined();
    expect(law.check(image(3, 2), 0)).toBeUndefined();
  });

  test("too small: a put is applied twice", () => {
    expect(law.check(image(4, 3), 0)).toMatchObject({
      kind: "index too small",
      isHarmful: true,
      differences: [
        { row: "b", here: "rev3", elsewhere: "rev2" },
        { row: "revision", here: 3, elsewhere: 2 },
      ],
    });
  });

  test("too small, but a restart repairs it: the same rows again", () => {
    expect(law.check(image(2, 1), 0)).toMatchObject({
      kind: "index too small",
      isHarmful: false,
      differences: [],
    });
  });

  test("too large: an entry is lost", () => {
    expect(law.check(image(3, 4), 0)).toMatchObject({
      kind: "index too large",
      contentIndex: 3,
      isHarmful: true,
    });
  });

  test("a part of an entry", () => {
    const rows = image(1, 2).set("lease/1/left", 10);
    expect(law.check(rows, 0)).toMatchObject({
      kind: "part of an entry",
      contentIndex: undefined,
      isHarmful: true,
    });
  });

  test("right content, but the log it needs is gone", () => {
    expect(law.check(image(1, 1), 2)).toMatchObject({ kind: "index below the log" });
  });

  test("a member's own rows are not content", () => {
    expect(law.check(image(1, 1).set("local/swept", 7), 0)).toBeUndefined();
  });
});

/** If our design wrote rows and index apart, the images would show it. */
test("of two writes for one entry a crash can leave the first", () => {
  const store = new UnitStore(new Map());
  store.write([
    ["a", "rev1"],
    ["revision", 1],
  ]);
  store.write([[indexRow, 1]]);
  const judged = store.images().map((rows: Rows) => law.check(rows, 0)?.kind);
  expect(judged).toEqual([undefined, "index too small", undefined]);
});
