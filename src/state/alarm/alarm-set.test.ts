import { describe, expect, test } from "vitest";
import { Bucket } from "../../platform/rows.js";
import { AlarmRequest_AlarmAction as Action, AlarmType } from "../../wire/gen/rpc.js";
import { Rows } from "../rows.fixture.js";
import { AlarmSet } from "./alarm-set.js";

const { GET, ACTIVATE, DEACTIVATE } = Action;
const { NONE, NOSPACE, CORRUPT } = AlarmType;

function setUp() {
  const rows = new Rows();
  const set = new AlarmSet();
  const apply = (action: Action, memberID: bigint, alarm: AlarmType) =>
    set.apply(rows, { action, memberID, alarm }).alarms.map((a) => `${a.alarm}@${a.memberId}`);
  return { rows, set, apply };
}

describe("alarm set", () => {
  test("activate, list by kind, deactivate exactly", () => {
    const { rows, set, apply } = setUp();
    expect(apply(ACTIVATE, 5n, NOSPACE)).toEqual(["NOSPACE@5"]);
    expect(apply(ACTIVATE, 2n, CORRUPT)).toEqual(["CORRUPT@2"]);
    expect(apply(ACTIVATE, 1n, NOSPACE)).toEqual(["NOSPACE@1"]);
    expect(apply(GET, 0n, NONE)).toEqual(["NOSPACE@1", "NOSPACE@5", "CORRUPT@2"]);
    expect(apply(GET, 9n, CORRUPT)).toEqual(["CORRUPT@2"]);
    expect(apply(DEACTIVATE, 0n, NOSPACE)).toEqual([]);
    expect(apply(DEACTIVATE, 5n, NOSPACE)).toEqual(["NOSPACE@5"]);
    expect(apply(DEACTIVATE, 5n, NOSPACE)).toEqual([]);
    expect(set.has("NOSPACE")).toBe(true);
    expect(apply(DEACTIVATE, 1n, NOSPACE)).toEqual(["NOSPACE@1"]);
    expect(set.has("NOSPACE")).toBe(false);
    expect(rows.dump(Bucket.alarm)).toEqual(["08021002="]);
  });

  test("an active alarm is not written again, and nothing is not an alarm", () => {
    const { rows, apply } = setUp();
    apply(ACTIVATE, 5n, NOSPACE);
    const writes = rows.writes;
    expect(apply(ACTIVATE, 5n, NOSPACE)).toEqual(["NOSPACE@5"]);
    expect(apply(ACTIVATE, 5n, NONE)).toEqual([]);
    expect(apply(DEACTIVATE, 5n, NONE)).toEqual([]);
    expect(apply(ACTIVATE, 5n, 7 as AlarmType)).toEqual([]);
    expect(apply(GET, 0n, 7 as AlarmType)).toEqual([]);
    expect(apply(9 as Action, 5n, CORRUPT)).toEqual([]);
    expect(rows.writes).toBe(writes);
  });

  test("the alarms of a removed member go with it, and the rest is restored", () => {
    const { rows, set, apply } = setUp();
    apply(ACTIVATE, 5n, NOSPACE);
    apply(ACTIVATE, 5n, CORRUPT);
    apply(ACTIVATE, 0n, CORRUPT);
    set.removeMember(rows, 5n);
    expect(apply(GET, 0n, NONE)).toEqual(["CORRUPT@0"]);
    const restored = new AlarmSet();
    restored.restore(rows);
    expect(restored.all()).toEqual(set.all());
  });
});
