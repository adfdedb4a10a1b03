import { describe, expect, test } from "vitest";
import { MemoryDisk } from "../../verify/sim/platform/memory-disk.js";
import type { IncidentStep, StepKind } from "./incident.js";
import { IncidentLog, incidentsMax } from "./incident-log.js";

const step = (text: string, kind: StepKind = "detected"): IncidentStep => ({
  ...{ kind, atMs: 1, member: "a", text, index: 3 },
});

function setUp() {
  const waiting: (() => void)[] = [];
  const disk = new MemoryDisk((fn) => waiting.push(fn));
  const failures: string[] = [];
  const open = (on = disk): IncidentLog =>
    new IncidentLog(on, (error) => failures.push(error.message));
  const settle = (): void => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) next();
  };
  return { disk, failures, open, settle };
}

describe("incident log", () => {
  test("what was synced is told after a power failure, in order", () => {
    const { disk, open, settle } = setUp();
    const log = open();
    const first = log.begin(step("one"));
    log.add(first, step("two", "ended"));
    log.begin(step("three"));
    settle();
    const incidents = open(disk.durableImage()).all();
    expect(incidents).toEqual(log.all());
    expect(incidents.map(({ number, steps }) => [number, steps.map(({ text }) => text)])).toEqual([
      [1, ["one", "two"]],
      [2, ["three"]],
    ]);
  });

  test("a torn last line is left out, and the next step does not grow onto it", () => {
    const { disk, open, settle } = setUp();
    open().begin(step("one"));
    settle();
    const file = disk.open("incidents.jsonl", "existing");
    file.write(file.size(), new TextEncoder().encode('{"incident":2,"kind":"det'));
    file.close();
    const log = open();
    expect(log.newest()?.number).toBe(1);
    log.begin(step("two"));
    settle();
    expect(
      open()
        .all()
        .map(({ steps }) => steps[0]?.text),
    ).toEqual(["one", "two"]);
  });

  test("holds the newest incidents only, also on the disk", () => {
    const { disk, open, settle } = setUp();
    const log = open();
    for (let at = 1; at <= incidentsMax + 30; at++) log.begin(step(`${at}`));
    settle();
    for (const told of [log, open(disk.durableImage())]) {
      expect(told.all()).toHaveLength(incidentsMax);
      expect(told.all()[0]?.number).toBe(31);
      expect(told.newest()?.number).toBe(incidentsMax + 30);
    }
    const file = disk.open("incidents.jsonl", "existing");
    expect(new TextDecoder().decode(file.read(0, file.size())).split("\n")).toHaveLength(
      incidentsMax + 1,
    );
  });

  test("failed attempts to heal do not fill it, and the end is still written", () => {
    const { open } = setUp();
    const log = open();
    const number = log.begin(step("one"));
    for (let at = 0; at < 1_000; at++) log.add(number, step("failed", "healing"));
    log.add(number, step("over", "ended"));
    const steps = log.newest()?.steps ?? [];
    expect(steps.length).toBeLessThan(100);
    expect(steps.at(-1)?.kind).toBe("ended");
  });

  test("a disk that fails costs the file, not the memory, and is told once", () => {
    const { disk, failures, open, settle } = setUp();
    const log = open();
    disk.faults.failNextSync = true;
    const number = log.begin(step("one"));
    settle();
    log.add(number, step("two"));
    log.add(number, step("three"));
    settle();
    expect(failures).toHaveLength(1);
    expect(log.newest()?.steps.map(({ text }) => text)).toEqual(["one", "two", "three"]);
  });

  test("lines that are no steps are skipped", () => {
    const { disk, open } = setUp();
    const file = disk.open("incidents.jsonl", "create");
    const good = JSON.stringify({ incident: 4, ...step("good") });
    const lines = ["null", "7", "[]", '{"incident":"1"}', "\u0000\ufffd", good, ""];
    file.write(0, new TextEncoder().encode(lines.join("\n")));
    expect(open().all()).toEqual([{ number: 4, steps: [step("good")] }]);
  });
});
