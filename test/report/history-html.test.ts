/**
 * The history page in a real browser: what a person does with 10,000 operations. Each test opens
 * the page anew and ends with a look at what the browser complained about or asked the network for.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { madeUpHistory } from "../../src/verify/report/history.fixture.js";
import { renderHistoryHtml } from "../../src/verify/report/history-html.js";
import { Chromium, isSkipped, type OpenPage, skipNote } from "./chromium.js";

const operations = 10_000;
/** Of client 9, whose lane is out of view at first. */
const wrongId = 7009;
/** Two watches with 20 answers each. */
const items = operations + 2 + 40;

describe.skipIf(isSkipped)(`history page in Chromium${skipNote}`, () => {
  let chromium: Chromium;
  let html: string;
  let opened: OpenPage | undefined;

  beforeAll(async () => {
    chromium = await Chromium.start();
    html = renderHistoryHtml({
      history: madeUpHistory(operations),
      title: "a history",
      violation: { text: "C2: reads an older value", operationId: wrongId },
    });
  });

  afterAll(() => chromium?.stop());

  afterEach(async () => {
    const { page, requests, complaints } = opened as OpenPage;
    opened = undefined;
    await page.close();
    expect(complaints).toEqual([]);
    expect(requests.length).toBe(1);
    expect(requests[0]).toMatch(/^file:/);
  });

  async function open(content = html, hash?: string): Promise<View> {
    opened = await chromium.open(content, hash === undefined ? {} : { hash });
    return new View(opened);
  }

  test("shows a lane per client, one per client with watches, and every interval", async () => {
    const view = await open();
    const lanes = await view.ask<string[]>(
      "[...document.querySelectorAll('.lane')].map((lane) => lane.textContent)",
    );
    expect(lanes).toEqual([
      ...Array.from({ length: 10 }, (_, client) => `client ${client}`),
      "watches 0",
      "watches 1",
    ]);
    expect(await view.text("status")).toContain(`${operations} operations; all of ${items}`);
    // What is below the view is not drawn.
    expect((await view.range()).inView).toBeGreaterThan(operations / 2);
    for (const kind of ["put", "range", "delete", "txn", "leaseGrant"]) {
      expect(await view.pixels(`--${kind}`), kind).toBeGreaterThan(20);
    }
  });

  test("the wheel zooms at the pointer, a drag moves, buttons and keys do both", async () => {
    const view = await open();
    const whole = await view.range();
    const { x, y, width, left } = await view.timeLine();
    await view.page.mouse.move(x, y);
    await view.page.mouse.wheel({ deltaY: -1500 });
    await view.drawn();
    const zoomed = await view.range();
    expect(zoomed.span).toBeLessThan(whole.span / 10);
    expect(zoomed.inView).toBeLessThan(whole.inView / 10);
    const fraction = (x - left) / width;
    const under = (range: Range): number => range.from + range.span * fraction;
    expect(Math.abs(under(zoomed) - under(whole))).toBeLessThan(zoomed.span / 100);

    await view.page.mouse.down();
    await view.page.mouse.move(x - width / 4, y, { steps: 4 });
    await view.page.mouse.up();
    await view.drawn();
    const moved = await view.range();
    expect((moved.from - zoomed.from) / zoomed.span).toBeCloseTo(0.25, 1);
    expect(moved.span).toBeCloseTo(zoomed.span, 3);

    await view.click("zoom-in");
    expect((await view.range()).span).toBeCloseTo(moved.span / 2, 0);
    await view.press("-");
    expect((await view.range()).span).toBeCloseTo(moved.span, 0);
    const before = await view.range();
    await view.press("ArrowRight");
    expect((await view.range()).from).toBeGreaterThan(before.from);
    await view.click("whole");
    expect(await view.range()).toEqual(whole);
  });

  test("the filter dims what does not match, and steps from match to match", async () => {
    const view = await open();
    const [all, picture] = [await view.range(), await view.picture()];
    await view.type("kind:put key:k1 outcome:ok");
    const filtered = await view.range();
    expect(filtered.inView).toBeGreaterThan(0);
    expect(filtered.inView).toBeLessThan(all.inView / 20);
    expect(await view.text("status")).toMatch(/; \d{1,3} of 10042 intervals/);
    expect(await view.picture()).not.toBe(picture);
    expect(await view.pixels("--txn")).toBe(0);
    expect(await view.pixels("--put")).toBeGreaterThan(20);

    await view.press("Enter");
    const first = await view.text("details");
    await view.press("Enter");
    const second = await view.text("details");
    for (const details of [first, second]) {
      expect(details).toMatch(/kind: put\noutcome: ok\n[\s\S]*key: k1\n/);
    }
    expect(second).not.toBe(first);

    await view.press("Escape");
    await view.press("Escape");
    await view.ask("document.querySelector('.chip.unknown').click()");
    await view.drawn();
    expect(await view.text("status")).toContain(`; ${operations / 50} of `);
    await view.ask("document.querySelector('.chip.unknown').click()");
    await view.drawn();
    expect(await view.picture()).toBe(picture);
  });

  test("the button jumps to the violation", async () => {
    const view = await open();
    expect(await view.isLaneInView("client 9")).toBe(false);
    await view.click("to-violation");
    await view.expectViolation();
  });

  test("an address that ends with #violation opens there", async () => {
    const view = await open(html, "#violation");
    await view.expectViolation();
  });

  test("what the pointer is on is told, what is clicked stays", async () => {
    const view = await open(html, "#violation");
    await view.press("Escape");
    const hint = await view.text("details");
    const { x, left, width } = await view.timeLine();
    // The violation is in the middle of the time line.
    const middle = left + width / 2;
    const lane = await view.laneBox("client 9");
    await view.page.mouse.move(middle, lane.top + 10);
    expect(await view.text("details")).toContain(`operation: ${wrongId}\n`);
    await view.page.mouse.move(middle, 3);
    await view.drawn();
    expect(await view.text("details")).toBe(hint);
    await view.page.mouse.click(middle, lane.top + 10);
    await view.page.mouse.move(x, 3);
    await view.drawn();
    expect(await view.text("details")).toContain(`operation: ${wrongId}\n`);
  });

  test("dark where the reader's system is dark", async () => {
    const view = await open();
    const background = "getComputedStyle(document.body).backgroundColor";
    const light = [await view.ask(background), await view.picture()];
    await view.page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "dark" }]);
    await view.drawn();
    expect(await view.ask(background)).not.toBe(light[0]);
    expect(await view.picture()).not.toBe(light[1]);
    expect(await view.pixels("--put")).toBeGreaterThan(20);
  });

  test("stays usable: forty zooms over everything take seconds at most", async () => {
    const view = await open();
    const began = performance.now();
    for (let turn = 0; turn < 20; turn++) {
      await view.press("+");
      await view.press("-");
    }
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  test("markup in keys, values, errors and titles is text", async () => {
    const evil = "</script><img src=x onerror=alert(1)><script>alert(2)</script><!--";
    const view = await open(
      renderHistoryHtml({
        history: {
          operations: [
            {
              id: 1,
              client: 1,
              member: evil,
              callUs: 0,
              returnUs: 10,
              request: { kind: "put", key: evil, value: `${evil}\u0000\u00ff` },
              outcome: { kind: "refused", error: evil },
            },
          ],
          watches: [],
          marks: [{ atUs: 5, kind: "fault", member: evil, text: evil }],
        },
        title: evil,
        violation: { text: evil, operationId: 1 },
      }),
      "#violation",
    );
    expect(await view.page.title()).toBe(evil);
    expect(await view.text("wrong")).toBe(evil);
    expect(await view.text("details")).toContain(`key: ${evil}\nvalue: ${evil}\\x00\u00ff`);
    expect(await view.ask("document.images.length")).toBe(0);
  });

  test("an empty history is an empty page", async () => {
    const history = { operations: [], watches: [], marks: [] };
    const view = await open(renderHistoryHtml({ history, title: "nothing" }));
    expect(await view.text("status")).toContain("0 operations");
    expect(await view.ask("document.getElementById('to-violation').hidden")).toBe(true);
    await view.press("v");
    await view.press("+");
  });
});

interface Range {
  readonly from: number;
  readonly span: number;
  readonly inView: number;
}

/** What a person sees of the page and does with it. */
class View {
  readonly page: OpenPage["page"];
  readonly ask: OpenPage["ask"];
  readonly drawn: OpenPage["drawn"];

  constructor({ page, ask, drawn }: OpenPage) {
    this.page = page;
    this.ask = ask;
    this.drawn = drawn;
  }

  text(id: string): Promise<string> {
    return this.ask(`document.getElementById("${id}").textContent`);
  }

  async range(): Promise<Range> {
    const data = await this.ask<{ fromUs: string; toUs: string; inView: string }>(
      "({ ...document.getElementById('canvas').dataset })",
    );
    const from = Number(data.fromUs);
    return { from, span: Number(data.toUs) - from, inView: Number(data.inView) };
  }

  /** The picture as text, to compare. */
  picture(): Promise<string> {
    return this.ask("document.getElementById('canvas').toDataURL()");
  }

  /** How many pixels below the axis have exactly a colour of the style sheet. */
  pixels(variable: string): Promise<number> {
    return this.ask(`(() => {
      const canvas = document.getElementById("canvas");
      const text = getComputedStyle(document.documentElement).getPropertyValue("${variable}").trim();
      const wanted = parseInt(text.slice(1), 16);
      const copy = document.createElement("canvas");
      [copy.width, copy.height] = [canvas.width, canvas.height];
      const context = copy.getContext("2d", { willReadFrequently: true });
      context.drawImage(canvas, 0, 0);
      const { data } = context.getImageData(0, 50, canvas.width, canvas.height - 50);
      let count = 0;
      for (let at = 0; at < data.length; at += 4) {
        if (((data[at] << 16) | (data[at + 1] << 8) | data[at + 2]) === wanted) count++;
      }
      return count;
    })()`);
  }

  /** Points to a place in the third lane, a third into the time line. */
  async timeLine(): Promise<{ x: number; y: number; left: number; width: number }> {
    const box = await this.ask<{ left: number; top: number; width: number }>(
      "JSON.parse(JSON.stringify(document.getElementById('canvas').getBoundingClientRect()))",
    );
    const gutter = 120;
    const [left, width] = [box.left + gutter, box.width - gutter];
    return { x: Math.round(left + width / 3), y: Math.round(box.top + 120), left, width };
  }

  laneBox(name: string): Promise<{ top: number; bottom: number }> {
    return this.ask(`(() => {
      const lane = [...document.querySelectorAll(".lane")].find((one) => one.textContent === "${name}");
      const { top, bottom } = lane.getBoundingClientRect();
      return { top, bottom };
    })()`);
  }

  async isLaneInView(name: string): Promise<boolean> {
    const lane = await this.laneBox(name);
    const area = await this.ask<{ top: number; bottom: number }>(
      "(({ top, bottom }) => ({ top, bottom }))(document.getElementById('scroll').getBoundingClientRect())",
    );
    return lane.top >= area.top + 48 && lane.bottom <= area.bottom;
  }

  async click(id: string): Promise<void> {
    await this.page.click(`#${id}`);
    await this.drawn();
  }

  async press(key: "+" | "-" | "v" | "Enter" | "Escape" | "ArrowRight"): Promise<void> {
    await this.page.keyboard.press(key);
    await this.drawn();
  }

  async type(text: string): Promise<void> {
    await this.page.keyboard.press("/");
    await this.page.keyboard.type(text);
    await this.drawn();
  }

  async expectViolation(): Promise<void> {
    await this.drawn();
    const { from, span } = await this.range();
    const atUs = wrongId * 100;
    expect(span).toBeLessThan(operations * 5);
    expect(from).toBeLessThan(atUs);
    expect(from + span).toBeGreaterThan(atUs + 1000);
    expect(await this.isLaneInView("client 9")).toBe(true);
    expect(await this.text("details")).toContain(`operation: ${wrongId}\n`);
    expect(await this.pixels("--wrong")).toBeGreaterThan(100);
  }
}
