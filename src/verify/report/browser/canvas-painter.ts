/**
 * Draws the visible part of a history: axis, marks, lanes, intervals. Colours are the page's CSS
 * variables, so that light and dark need no code. Its source text goes into the page, so it must
 * use no name from outside itself.
 */
import type { Context2d, PageElement, PageWindow } from "./dom.js";
import type { ItemIndex } from "./item-index.js";
import type { PageData, PageItem } from "./page-data.js";
import type { TimeWindow } from "./time-window.js";

export interface CanvasView {
  readonly time: TimeWindow;
  readonly scrollTop: number;
  readonly selected: number | undefined;
}

export class CanvasPainter {
  readonly #window: PageWindow;
  readonly #canvas: PageElement;
  readonly #context: Context2d;
  readonly #data: PageData;
  readonly #index: ItemIndex;
  readonly #colours = new Map<string, string>();
  #width = 0;
  #height = 0;
  /** How many intervals and moments were drawn last, for tests and the status line. */
  inView = 0;

  constructor(
    window: PageWindow,
    canvas: PageElement,
    parts: { readonly data: PageData; readonly index: ItemIndex },
  ) {
    this.#window = window;
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
    this.#data = parts.data;
    this.#index = parts.index;
  }

  /** Of the time line, without the names of lanes. */
  get width(): number {
    return Math.max(1, this.#width - this.#data.gutterPx);
  }

  forgetColours(): void {
    this.#colours.clear();
  }

  resize(width: number, height: number): void {
    const ratio = this.#window.devicePixelRatio || 1;
    this.#width = width;
    this.#height = height;
    this.#canvas.width = Math.round(width * ratio);
    this.#canvas.height = Math.round(height * ratio);
    this.#canvas.style.width = `${width}px`;
    this.#canvas.style.height = `${height}px`;
    this.#context.setTransform(ratio, 0, 0, ratio, 0, 0);
  }

  draw(scene: CanvasView): void {
    const { gutterPx, headPx } = this.#data;
    const context = this.#context;
    context.font = "11px monospace";
    context.textBaseline = "middle";
    this.#fill("page", [0, 0, this.#width, this.#height]);
    context.save();
    context.beginPath();
    context.rect(gutterPx, headPx, this.width, this.#height - headPx);
    context.clip();
    this.#lanes(scene);
    this.#grid(scene);
    this.inView = 0;
    for (const row of this.#data.rows.keys()) this.#row(scene, row);
    this.#markLines(scene);
    this.#violation(scene);
    context.restore();
    this.#head(scene);
  }

  #lanes({ scrollTop }: CanvasView): void {
    const { lanes, gutterPx, headPx } = this.#data;
    for (const [place, { topPx, heightPx }] of lanes.entries()) {
      if (place % 2 === 1) continue;
      this.#fill("stripe", [gutterPx, headPx + topPx - scrollTop - 4, this.width, heightPx + 8]);
    }
  }

  #grid({ time }: CanvasView): void {
    for (const { atUs } of time.ticks(this.width / 110)) {
      this.#fill("grid", [this.#x(time, atUs), 0, 1, this.#height]);
    }
  }

  #row(scene: CanvasView, row: number): void {
    const { rows, rowPx, headPx, items } = this.#data;
    const { time } = scene;
    const y = headPx + (rows[row]?.topPx ?? 0) - scene.scrollTop;
    if (y + rowPx < headPx || y > this.#height) return;
    const { bars, moments } = this.#index.inView(row, time.fromUs, time.toUs);
    this.#openEnd(scene, row, y + rowPx - 3);
    let before = "";
    for (const place of bars) {
      const item = items[place] as PageItem;
      const x = this.#x(time, item.fromUs);
      const width = Math.max(1.5, this.#x(time, item.toUs) - x);
      const isShown = this.#index.isShown(place);
      if (isShown) this.inView++;
      // Thousands may share one column of pixels: draw only once.
      const looks = `${Math.round(x)} ${item.kind} ${item.outcome} ${isShown}`;
      if (width < 2 && looks === before) continue;
      before = looks;
      this.#bar(item, { x, y: y + 2, width, height: rowPx - 6, isShown });
    }
    for (const place of moments) {
      const x = this.#x(time, (items[place] as PageItem).fromUs);
      const isShown = this.#index.isShown(place);
      if (isShown) this.inView++;
      this.#context.globalAlpha = isShown ? 1 : 0.15;
      this.#fill("event", [x - 1, y + 2, 2, rowPx - 6]);
      this.#context.globalAlpha = 1;
    }
    this.#chosen(scene, row, y);
  }

  #bar(
    item: PageItem,
    at: { x: number; y: number; width: number; height: number; isShown: boolean },
  ): void {
    const { x, y, width, height, isShown } = at;
    const context = this.#context;
    const left = Math.max(x, this.#data.gutterPx - 2);
    const right = Math.min(x + width, this.#width + 2);
    const strength = { ok: 1, refused: 0.25, unknown: 0.4 }[item.outcome];
    context.globalAlpha = isShown ? strength : 0.08;
    this.#fill(item.kind, [left, y, right - left, height]);
    context.globalAlpha = isShown ? 1 : 0.12;
    if (item.outcome === "refused") {
      this.#fill("refused", [left, y + height / 2 - 1, right - left, 2]);
    }
    if (item.outcome === "unknown") this.#fill("unknown", [left, y + height - 2, right - left, 2]);
    if (width > 4) this.#fill("edge", [x, y, 1, height]);
    context.globalAlpha = 1;
    const columns = Math.floor((right - left - 6) / 6.7);
    if (!isShown || columns < 3) return;
    context.fillStyle = this.#colour(item.outcome === "ok" ? "label" : "text");
    const text = item.label;
    const shown = text.length > columns ? `${text.slice(0, columns - 1)}…` : text;
    context.fillText(shown, left + 4, y + height / 2 + 1);
  }

  /** An operation without a known end may take effect until the end of the history. */
  #openEnd({ time }: CanvasView, row: number, y: number): void {
    const open = this.#index.firstOpen(row);
    if (open === undefined || open.toUs > time.toUs) return;
    const context = this.#context;
    context.strokeStyle = this.#colour(open.kind === "watch" ? "watch" : "unknown");
    context.lineWidth = 1.5;
    context.setLineDash([5, 4]);
    context.beginPath();
    context.moveTo(Math.max(this.#data.gutterPx, this.#x(time, open.toUs)), y);
    context.lineTo(Math.min(this.#width, this.#x(time, this.#data.toUs)), y);
    context.stroke();
    context.setLineDash([]);
  }

  #chosen({ time, selected }: CanvasView, row: number, y: number): void {
    const { items, violation, rowPx } = this.#data;
    const outline = (place: number | undefined, colour: string): void => {
      const item = place === undefined ? undefined : items[place];
      if (item === undefined || item.row !== row) return;
      const x = this.#x(time, item.fromUs);
      this.#context.strokeStyle = this.#colour(colour);
      this.#context.lineWidth = 2.5;
      const width = Math.max(3, this.#x(time, item.toUs) - x);
      this.#context.strokeRect(x - 1.5, y + 0.5, width + 3, rowPx - 3);
    };
    outline(selected, "text");
    outline(violation?.item, "wrong");
  }

  #markLines({ time }: CanvasView): void {
    for (const { atUs, kind } of this.#data.marks) {
      if (atUs < time.fromUs || atUs > time.toUs) continue;
      this.#context.globalAlpha = 0.6;
      this.#fill(kind === "violation" ? "wrong" : kind, [this.#x(time, atUs), 0, 1, this.#height]);
      this.#context.globalAlpha = 1;
    }
  }

  #violation({ time }: CanvasView): void {
    const { violation } = this.#data;
    if (violation === undefined) return;
    this.#fill("wrong", [this.#x(time, violation.atUs) - 1, 0, 2, this.#height]);
  }

  /** Draws axis and flags. This comes last, so that lanes pass below. */
  #head({ time }: CanvasView): void {
    const { gutterPx, headPx, marks, violation } = this.#data;
    const context = this.#context;
    this.#fill("page", [0, 0, this.#width, headPx]);
    context.save();
    context.beginPath();
    context.rect(gutterPx, 0, this.width, headPx);
    context.clip();
    for (const { atUs, text } of time.ticks(this.width / 110)) {
      const x = this.#x(time, atUs);
      this.#fill("grid", [x, 0, 1, 22]);
      context.fillStyle = this.#colour("quiet");
      context.fillText(text, x + 4, 11);
    }
    const inView = marks.filter(({ atUs }) => atUs >= time.fromUs && atUs <= time.toUs);
    for (const [place, { atUs, kind, label }] of inView.entries()) {
      const x = this.#x(time, atUs);
      const next = inView[place + 1];
      const room = (next === undefined ? this.#width : this.#x(time, next.atUs)) - x - 14;
      this.#flag({ x, colour: kind === "violation" ? "wrong" : kind, label, room });
    }
    if (violation !== undefined) {
      const x = this.#x(time, violation.atUs);
      this.#flag({ x, colour: "wrong", label: "", room: 0 });
      this.#fill("wrong", [x - 1, 22, 2, headPx - 22]);
    }
    context.restore();
    this.#fill("quiet", [0, headPx - 1, this.#width, 1]);
  }

  #flag(flag: { x: number; colour: string; label: string; room: number }): void {
    const { x, colour, label, room } = flag;
    const context = this.#context;
    context.fillStyle = this.#colour(colour);
    context.beginPath();
    context.moveTo(x, 26);
    context.lineTo(x + 9, 31);
    context.lineTo(x, 36);
    context.fill();
    this.#fill(colour, [x, 26, 1, this.#data.headPx - 26]);
    const columns = Math.floor(room / 6.7);
    if (columns < 3) return;
    context.fillStyle = this.#colour("text");
    const text = label.length > columns ? `${label.slice(0, columns - 1)}…` : label;
    context.fillText(text, x + 12, 32);
  }

  #x(time: TimeWindow, atUs: number): number {
    return this.#data.gutterPx + time.x(atUs, this.width);
  }

  #fill(colour: string, [x, y, width, height]: readonly [number, number, number, number]): void {
    this.#context.fillStyle = this.#colour(colour);
    this.#context.fillRect(x, y, width, height);
  }

  #colour(name: string): string {
    let colour = this.#colours.get(name);
    if (colour === undefined) {
      const style = this.#window.getComputedStyle(this.#window.document.documentElement);
      colour = style.getPropertyValue(`--${name}`).trim();
      if (colour === "") colour = style.getPropertyValue("--other").trim();
      this.#colours.set(name, colour);
    }
    return colour;
  }
}
