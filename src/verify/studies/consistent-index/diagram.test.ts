/** The diagrams: the content that a reader needs, and that any viewer can open the SVG file. */
import { expect, test } from "vitest";
import { cases, runCase } from "./campaign.js";
import { renderSvg } from "./diagram-svg.js";
import { renderText, wrap } from "./diagram-text.js";
import type { Story } from "./replay.js";

const stories = cases
  .map((subject) => runCase(subject, { first: 1, count: 50 }).story)
  .filter((story): story is NonNullable<typeof story> => story !== undefined);
const lost = stories.find(({ plan }) => plan.design === "enhanced") as Story;

test("every case that must fail has a story", () => {
  expect(stories.length).toBe(cases.filter(({ expected }) => expected !== undefined).length);
});

test("the lost entry as text", () => {
  expect(renderText(lost)).toMatchInlineSnapshot(`
    "log: 1 put a; 2 put b

    #   apply loop               commit ticker        open transaction          disk
    --  -----------------------  -------------------  ------------------------  ------------------------
                                                      -                         index=0; -
    1   memory index := 1
    2   lock
    3   write a=rev1,                                 a=rev1, revision=1
        revision=1
    4   unlock
    5   memory index := 2
    6                            lock
    7                            hook: write index=2  a=rev1, revision=1,
                                                      index=2
    8                            commit               -                         index=2; a=rev1,
                                                                                revision=1
    9  CRASH: what is not on the disk is gone ==========================================================
        The disk says index 2, but its rows are those of index 1.
        The restart replays the log from entry 3: entry 2 (put b) is skipped. The others have it, and
        its client has its answer or gets it from them.
        The crash need not come now: any moment before the next commit will do.
        b: absent on this member, rev2 on the others.
        revision: 1 on this member, 2 on the others.
        The next put gets revision 2 here and 3 elsewhere: a transaction that compares revisions now
        decides differently here, and the damage spreads.
    "
  `);
});

test("no line is wider than 100 columns, and each event has its number", () => {
  for (const story of stories) {
    const lines = renderText(story).trimEnd().split("\n");
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(100);
    const numbers = lines.map((line) => /^(\d+) /.exec(line)?.[1]).filter(Boolean);
    expect(numbers).toEqual(
      story.events.map((_, place) => String(place + 1)).concat(String(story.eventsAfter)),
    );
  }
});

test("the SVG is well-formed, self-contained and says the same words", () => {
  for (const story of stories) {
    const svg = renderSvg(story);
    expect(unclosedTags(svg)).toEqual([]);
    expect(svg).not.toMatch(/<script|href=|url\((?!#)|@import/);
    const texts = [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text);
    expect(texts).toContain("apply loop");
    expect(texts).toContain("disk");
    expect(svg.match(/class="broken"/g)?.length).toBe(1);
    expect(svg.match(/class="crash"/g)?.length).toBe(1);
  }
  expect(renderSvg(lost)).toContain(">hook: write index=2</text>");
});

test("what is written in a box is escaped", () => {
  const [first, ...rest] = lost.events;
  if (first === undefined) throw new Error("no events");
  const svg = renderSvg({ ...lost, events: [{ ...first, text: 'a<b & "c"' }, ...rest] });
  expect(svg).toContain("a&lt;b &amp; &quot;c&quot;");
  expect(unclosedTags(svg)).toEqual([]);
});

test("lines break between words only", () => {
  expect(wrap("one two three", 7)).toEqual(["one two", "three"]);
  expect(wrap("unbreakable no", 4)).toEqual(["unbreakable", "no"]);
  expect(wrap("", 4)).toEqual([""]);
});

/** An XML reader for the subset that we write: tags nest, text has no bare < or &. */
function unclosedTags(xml: string): string[] {
  const body = xml.replace(/^<\?xml [^>]*\?>/, "");
  expect(body.replaceAll(/&(amp|lt|gt|quot);/g, "")).not.toContain("&");
  const open: string[] = [];
  for (const [, close, name, attributes, self] of body.matchAll(
    /<(\/?)([a-z]+)((?: [\w:-]+="[^"<]*")*)(\/?)>/gi,
  )) {
    expect(attributes).toBeDefined();
    if (close === "/") expect(open.pop()).toBe(name);
    else if (self !== "/") open.push(name as string);
  }
  const rest = body.replaceAll(/<\/?[a-z]+(?: [\w:-]+="[^"<]*")*\/?>/gi, "");
  expect(rest).not.toMatch(/</);
  return open;
}
