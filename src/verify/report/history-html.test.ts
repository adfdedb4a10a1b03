import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { History, Operation, Watch } from "../history/types.js";
import type { PageData } from "./browser/page-data.js";
import { madeUpHistory } from "./history.fixture.js";
import { renderHistoryHtml } from "./history-html.js";
import { layOutHistory } from "./history-page.js";

const put = (id: number, more: Partial<Operation> = {}): Operation => ({
  id,
  client: 1,
  member: "n1",
  callUs: id * 100,
  returnUs: id * 100 + 50,
  request: { kind: "put", key: "a", value: `${id}` },
  outcome: { kind: "ok", revision: id + 2, answer: { kind: "put" } },
  ...more,
});

const of = (operations: readonly Operation[], rest: Partial<History> = {}): History => ({
  operations,
  watches: [],
  marks: [],
  ...rest,
});

describe("layout", () => {
  test("a lane per client in the order of clients, all operations in order", () => {
    const history = of([put(3, { client: 2 }), put(1), put(0, { client: 10 }), put(2)]);
    const { lanes, items, rows } = layOutHistory({ history, title: "" });
    expect(lanes.map(({ name }) => name)).toEqual(["client 1", "client 2", "client 10"]);
    expect(items.map(({ row, fromUs, toUs, label }) => [row, fromUs, toUs, label])).toEqual([
      [2, 0, 50, "put a=0 @2"],
      [0, 100, 150, "put a=1 @3"],
      [0, 200, 250, "put a=2 @4"],
      [1, 300, 350, "put a=3 @5"],
    ]);
    expect(rows.map(({ lane }) => lane)).toEqual([0, 1, 2]);
  });

  test("unknown outcomes are open; one that overlaps the next call pushes it into a new row", () => {
    const unknown = { outcome: { kind: "unknown", error: "timeout" } } as const;
    const history = of([
      put(0, { ...unknown, returnUs: undefined }),
      put(1, { ...unknown, returnUs: 220 }),
      put(2),
    ]);
    const { items, lanes } = layOutHistory({ history, title: "" });
    expect(items.map(({ row, toUs, isOpen }) => [row, toUs, isOpen])).toEqual([
      [0, 100, true],
      [0, 220, true],
      [1, 250, false],
    ]);
    expect(lanes[0]?.heightPx).toBe(44);
    expect(items[0]?.details).toContain("returned: never seen");
  });

  test("a watch lasts until its last answer, open if nobody canceled it; answers are moments", () => {
    const [watch] = madeUpHistory(10).watches;
    const answer = { revision: 1, events: [] };
    const watches = [
      { ...watch, id: 1, client: 4, callUs: 0, responses: [{ ...answer, atUs: 9, created: true }] },
      {
        ...watch,
        id: 2,
        client: 4,
        callUs: 5,
        responses: [{ ...answer, atUs: 30, canceled: true }],
      },
      { ...watch, id: 3, client: 4, callUs: 20, responses: [] },
    ] as Watch[];
    const { lanes, items } = layOutHistory({ history: of([], { watches }), title: "" });
    expect(lanes.map(({ name }) => name)).toEqual(["watches 4"]);
    expect(
      items.map(({ row, fromUs, toUs, kind, isOpen, label }) => [
        row,
        fromUs,
        toUs,
        kind,
        isOpen,
        label,
      ]),
    ).toEqual([
      [0, 0, 9, "watch", true, "watch k .. l"],
      [1, 5, 30, "watch", false, "watch k .. l"],
      [0, 9, 9, "event", false, "created"],
      [0, 20, 20, "watch", true, "watch k .. l"],
      [1, 30, 30, "event", false, "canceled"],
    ]);
  });

  test("intervals of a row never overlap", () => {
    const { items } = layOutHistory({ history: madeUpHistory(2000), title: "" });
    const ends = new Map<number, number>();
    for (const { row, fromUs, toUs, isMoment } of items) {
      if (isMoment) continue;
      expect(fromUs).toBeGreaterThanOrEqual(ends.get(row) ?? Number.NEGATIVE_INFINITY);
      ends.set(row, toUs);
    }
  });

  test("the violation is found by its operation, by its time, or by the mark of the history", () => {
    const history = of([put(0), put(1)], {
      marks: [{ atUs: 120, kind: "violation", text: "C1" }],
    });
    const place = (violation?: { text: string; operationId?: number; atUs?: number }) =>
      layOutHistory({ history, title: "", ...(violation === undefined ? {} : { violation }) })
        .violation;
    expect(place()).toEqual({ text: "C1", atUs: 120, item: undefined });
    expect(place({ text: "C2", operationId: 1 })).toEqual({ text: "C2", atUs: 150, item: 1 });
    expect(place({ text: "C2", atUs: 9000 })).toEqual({ text: "C2", atUs: 9000, item: undefined });
    expect(layOutHistory({ history: of([put(0)]), title: "" }).violation).toBeUndefined();
  });

  test("details tell everything, with bytes that nobody can see written out", () => {
    const kv = { key: "k\u0000", value: "v\u007f", create: 1, mod: 2, version: 2, lease: "9" };
    const range: Operation = put(4, {
      request: { kind: "range", key: "k\u0000", end: "\0", serializable: true },
      outcome: { kind: "ok", revision: 7, answer: { kind: "range", kvs: [kv], count: 1 } },
    });
    expect(layOutHistory({ history: of([range]), title: "" }).items[0]?.details).toBe(
      [
        "operation: 4",
        "kind: range",
        "outcome: ok",
        "client: 1",
        "member: n1",
        "called: 0.400 ms",
        "returned: 0.450 ms, after 0.050 ms",
        "key: from k\\x00 on",
        "serializable: true",
        "revision: 7",
        "count: 1",
        "row: k\\x00=v\\x7f create 1 mod 2 version 2 lease 9",
      ].join("\n"),
    );
  });
});

describe("page", () => {
  const dataOf = (html: string): PageData =>
    JSON.parse(html.match(/id="history">([^<]*)<\/script>/)?.[1] ?? "") as PageData;

  test("is the same each time, holds its data, and reaches for nothing outside", () => {
    const input = { history: madeUpHistory(100), title: "seed 1" };
    const html = renderHistoryHtml(input);
    expect(renderHistoryHtml(input)).toBe(html);
    expect(dataOf(html)).toEqual(JSON.parse(JSON.stringify(layOutHistory(input))));
    expect(html).not.toMatch(/https?:|src=|href=|@import|url\(/);
    expect(html).toContain("default-src 'none'");
  });

  test("the script in it runs as it stands: it names nothing of a module", () => {
    const html = renderHistoryHtml({ history: of([]), title: "" });
    const script = html.match(/<script>\n([\s\S]*)<\/script>/)?.[1] ?? "";
    expect(script).not.toMatch(/\b(import|export|require)\b[ (]|__vi_|_js_\d/);
    expect(() => new Function("window", script)).not.toThrow();
  });

  test("text of any kind stays text, and comes back whole", () => {
    const wild = fc.oneof(
      fc.string({ unit: "binary", maxLength: 30 }),
      fc.constantFrom(
        "</script><script>alert(1)</script>",
        "<!--",
        '" onload="x',
        "\u2028",
        "&lt;",
      ),
    );
    const bland = renderHistoryHtml({
      history: of([put(0)], { marks: [{ atUs: 1, kind: "note", text: "x" }] }),
      title: "x",
      violation: { text: "x", operationId: 0 },
    });
    const markup = (html: string): string[] =>
      html.slice(0, html.indexOf("<script>")).match(/<[^>]*>/g) ?? [];
    fc.assert(
      fc.property(wild, wild, wild, (key, title, text) => {
        const html = renderHistoryHtml({
          history: of([put(0, { request: { kind: "put", key, value: text } })], {
            marks: [{ atUs: 1, kind: "note", member: key, text }],
          }),
          title,
          violation: { text, operationId: 0 },
        });
        expect(markup(html)).toEqual(markup(bland));
        expect(dataOf(html).items[0]?.details).toContain("kind: put");
        expect(html.slice(html.indexOf("<script>"))).toBe(bland.slice(bland.indexOf("<script>")));
      }),
      { numRuns: 100 },
    );
  });
});
