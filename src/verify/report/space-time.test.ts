import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { layOutSpaceTime } from "./space-time.js";
import { renderSpaceTimeSvg } from "./space-time-svg.js";
import { renderSpaceTimeText } from "./space-time-text.js";
import type { TraceEvent, TraceKind } from "./trace.js";

type Draft = Partial<TraceEvent> & { readonly kind: TraceKind };

function trace(drafts: readonly Draft[]): TraceEvent[] {
  return drafts.map((draft, id) => ({
    id,
    cause: undefined,
    atUs: id * 1000,
    node: undefined,
    text: draft.kind,
    ...draft,
  }));
}

const nodes = ["n1", "n2", "n3"];

/** One leader, a message lost, a crash and a restart, a pause, a violation. */
const story = trace([
  { kind: "start", node: "n1" },
  { kind: "role", node: "n1", text: "leads, term 2", term: 2 },
  { kind: "client", peer: "n1", text: "put a=1" },
  { kind: "send", node: "n1", peer: "n2", message: 7, text: "App t2 i5" },
  { kind: "send", node: "n1", peer: "n3", message: 8, text: "App t2 i5" },
  { kind: "receive", node: "n2", message: 7, text: "App t2 i5" },
  { kind: "drop", node: "n3", message: 8, text: "App t2 i5" },
  { kind: "fsync", node: "n2", text: "durable" },
  { kind: "crash", node: "n1", text: "power failure" },
  { kind: "pause", node: "n2", text: "for 40 ms" },
  { kind: "fault", text: "cut n1 | n2 n3", atUs: 60_000 },
  { kind: "resume", node: "n2", text: "again", atUs: 61_000 },
  { kind: "start", node: "n1", text: "started", atUs: 62_000 },
  { kind: "role", node: "n1", text: "follows, term 3", term: 3, atUs: 62_000 },
  { kind: "receive", node: "n3", message: 99, text: "Heartbeat", atUs: 63_000 },
  { kind: "send", node: "n3", peer: "n2", message: 100, text: "HeartbeatResp", atUs: 63_500 },
  { kind: "violation", node: "n3", text: "I3: two leaders in term 2", atUs: 64_000 },
]);

const input = { events: story, nodes, title: "seed 5: I3" };
const count = (text: string, piece: string): number => text.split(piece).length - 1;

describe("layout", () => {
  test("messages are paired by their number, whatever became of them", () => {
    const { flights, orphans, lanes } = layOutSpaceTime(input);
    expect(lanes).toEqual(["clients", "n1", "n2", "n3"]);
    expect(flights).toEqual([
      { fromLane: 1, fromRow: 3, toLane: 2, toRow: 5, isLost: false },
      { fromLane: 1, fromRow: 4, toLane: 3, toRow: 6, isLost: true },
      { fromLane: 3, fromRow: 15, toLane: 2, toRow: undefined, isLost: false },
    ]);
    expect([...orphans]).toEqual([14]);
  });

  test("a repeated message arrives twice; a loss that nobody noted aims at its peer", () => {
    const { flights } = layOutSpaceTime({
      ...input,
      events: trace([
        { kind: "send", node: "n1", peer: "n2", message: 1 },
        { kind: "receive", node: "n2", message: 1 },
        { kind: "receive", node: "n2", message: 1 },
        { kind: "send", node: "n2", peer: "n3", message: 2 },
        { kind: "drop", message: 2 },
      ]),
    });
    expect(flights.map(({ toLane, toRow, isLost }) => [toLane, toRow, isLost])).toEqual([
      [2, 1, false],
      [2, 2, false],
      [3, 4, true],
    ]);
  });

  test("a node whose first news is its start was down before", () => {
    const events = trace([
      { kind: "log" },
      { kind: "fsync", node: "n2" },
      { kind: "start", node: "n2" },
    ]);
    expect(layOutSpaceTime({ ...input, events }).downs).toEqual([
      { lane: 2, fromRow: 0, toRow: 2 },
    ]);
  });

  test("downs, pauses and terms last as long as they did", () => {
    const { downs, pauses, terms } = layOutSpaceTime(input);
    expect(downs).toEqual([{ lane: 1, fromRow: 8, toRow: 12 }]);
    expect(pauses).toEqual([{ lane: 2, fromRow: 9, toRow: 11 }]);
    expect(terms).toEqual([
      { lane: 1, fromRow: 1, toRow: 8, term: 2 },
      { lane: 1, fromRow: 13, toRow: 17, term: 3 },
    ]);
  });
});

test("with the whole trace at hand, a part of it knows the state it begins with", () => {
  const whole = trace([
    { kind: "role", node: "n1", term: 4 },
    { kind: "crash", node: "n2" },
    { kind: "pause", node: "n3" },
    { kind: "log", node: "n1" },
    { kind: "role", node: "n1", term: 5 },
    { kind: "start", node: "n2" },
    { kind: "log", node: "n1" },
    { kind: "role", node: "n1", term: 6 },
  ]);
  const events = whole.filter(({ kind }) => kind === "log");
  const { downs, pauses, terms } = layOutSpaceTime({ ...input, events, trace: whole });
  expect(downs).toEqual([{ lane: 2, fromRow: 0, toRow: 1 }]);
  expect(pauses).toEqual([{ lane: 3, fromRow: 0, toRow: 2 }]);
  expect(terms).toEqual([
    { lane: 1, fromRow: 0, toRow: 1, term: 4 },
    { lane: 1, fromRow: 1, toRow: 2, term: 5 },
  ]);
});

describe("SVG", () => {
  const svg = renderSpaceTimeSvg(input);

  test("shows each thing once", () => {
    expect(count(svg, '<line class="message"')).toBe(1);
    expect(count(svg, '<line class="lost"')).toBe(1);
    expect(count(svg, '<line class="flying"')).toBe(1);
    expect(count(svg, '<line class="down"')).toBe(1);
    expect(count(svg, '<rect class="pause"')).toBe(1);
    expect(count(svg, "data-term=")).toBe(2);
    expect(count(svg, '<rect class="durable"')).toBe(2); // one in the legend
    expect(count(svg, '<path class="violated"')).toBe(1);
    expect(svg).toContain('class="violation"');
    expect(svg).toContain("... 51 ms without an event here ...");
    expect(svg.match(/class="head"[^>]*>([^<]*)/g)?.map((head) => head.split(">")[1])).toEqual([
      "clients",
      ...nodes,
    ]);
    expect(svg).toContain("I3: two leaders in term 2</text>");
  });

  test("an arrow leads from its send down to its arrival", () => {
    const [, x1, y1, x2, y2] = (
      svg.match(/class="message" x1="([^"]+)" y1="([^"]+)" x2="([^"]+)" y2="([^"]+)"/) ?? []
    ).map(Number);
    expect(x2).toBeGreaterThan(x1 as number);
    expect(y2).toBeGreaterThan(y1 as number);
  });

  test("is the same each time, and reaches for nothing outside", () => {
    expect(renderSpaceTimeSvg(input)).toBe(svg);
    expect(svg.replace('xmlns="http://www.w3.org/2000/svg"', "")).not.toMatch(
      /https?:|<script|@import/,
    );
  });
});

describe("text", () => {
  const text = renderSpaceTimeText(input);

  test("one line per event, fixed columns", () => {
    const lines = text.split("\n").filter((line) => /^ *\d+\.\d{3} {2}/.test(line));
    expect(lines.length).toBe(story.length);
    expect(lines[3]).toBe("     3.000  |               o #7 >n2 App t2 i5              |");
    expect(lines[5]?.slice(12 + 2 * 16)).toBe("< #7 App t2 i5  |");
    // n1 is down: no lifeline.
    expect(lines[9]?.slice(12, 12 + 2 * 16)).toBe("|".padEnd(32));
    expect(lines[10]?.charAt(12 + 2 * 16)).toBe(":");
    expect(text).toContain("\n## I3: two leaders in term 2\n");
  });
});

describe("any trace", () => {
  const names = ["n1", "n2", "n3", "n4", "n5"];
  const kinds: readonly TraceKind[] = [
    ...["start", "crash", "pause", "resume", "send", "receive", "drop", "fsync", "commit"],
    ...["apply", "role", "fault", "heal", "client", "violation", "log"],
  ] as TraceKind[];
  const anyText = fc.oneof(
    fc.string({ unit: "binary", maxLength: 60 }),
    fc.constantFrom(
      "</svg><script>alert(1)</script>",
      '"><x y="',
      "&amp;<!--",
      "]]>",
      "\ud800\u0000",
    ),
  );
  const draft = fc.record({
    kind: fc.constantFrom(...kinds),
    text: anyText,
    node: fc.option(fc.constantFrom(...names), { nil: undefined }),
    message: fc.nat(9),
    term: fc.nat(9),
    atUs: fc.nat(1e7),
  });

  test("text stays text: the elements do not depend on it", () => {
    const elements = (svg: string): string[] => svg.match(/<[^>]*>/g) ?? [];
    fc.assert(
      fc.property(fc.array(draft, { maxLength: 30 }), anyText, (drafts, title) => {
        const events = trace(drafts);
        const svg = renderSpaceTimeSvg({ events, nodes: names, title });
        // biome-ignore lint/suspicious/noControlCharactersInRegex: XML cannot hold these
        expect(svg).not.toMatch(/[\u0000-\u0009\u000b-\u001f\ufffe\uffff]|\p{Surrogate}/u);
        expect(svg.replace(/&(amp|lt|gt|quot|#39);/g, "")).not.toContain("&");
        const bland = events
          .filter(({ kind }) => kind !== "violation")
          .map((event) => ({ ...event, text: "x" }));
        const wild = events.filter(({ kind }) => kind !== "violation");
        const opened = (list: TraceEvent[], name: string): string[] =>
          elements(renderSpaceTimeSvg({ events: list, nodes: names, title: name }));
        expect(opened(wild, title)).toEqual(opened(bland, "x"));
      }),
      { numRuns: 60 },
    );
  });

  test("lines of text fit into 110 columns with five nodes, one for each event", () => {
    fc.assert(
      fc.property(fc.array(draft, { maxLength: 30 }), (drafts) => {
        const events = trace(drafts);
        const lines = renderSpaceTimeText({ events, nodes: names, title: "" }).split("\n");
        for (const line of lines) expect([...line].length).toBeLessThanOrEqual(110);
        expect(lines.filter((line) => /^ *\d+\.\d{3} {2}/.test(line)).length).toBe(events.length);
      }),
      { numRuns: 60 },
    );
  });
});
