/**
 * The history page: connects mouse, keyboard, buttons and the filter to the drawing. Its source
 * text goes into the page, so it gets the other classes as arguments and uses no name from outside
 * itself. It inserts text of the history only as text content.
 */
import type { CanvasPainter } from "./canvas-painter.js";
import type { PageElement, PageEvent, PageWindow } from "./dom.js";
import type { ItemIndex } from "./item-index.js";
import type { PageData, PageItem } from "./page-data.js";
import type { TimeWindow } from "./time-window.js";

export interface PageParts {
  readonly TimeWindow: typeof TimeWindow;
  readonly ItemIndex: typeof ItemIndex;
  readonly CanvasPainter: typeof CanvasPainter;
}

export class HistoryApp {
  readonly #window: PageWindow;
  readonly #data: PageData;
  readonly #time: TimeWindow;
  readonly #index: ItemIndex;
  readonly #painter: CanvasPainter;
  readonly #canvas: PageElement;
  readonly #scroll: PageElement;
  readonly #filter: PageElement;
  #selected: number | undefined;
  #drag: { x: number; y: number; hasMoved: boolean } | undefined;
  #isDrawing = false;

  constructor(window: PageWindow, parts: PageParts) {
    this.#window = window;
    this.#data = JSON.parse(this.#element("history").textContent ?? "") as PageData;
    this.#time = new parts.TimeWindow(this.#data.fromUs, this.#data.toUs);
    this.#index = new parts.ItemIndex(this.#data);
    this.#canvas = this.#element("canvas");
    this.#scroll = this.#element("scroll");
    this.#filter = this.#element("filter");
    const { CanvasPainter } = parts;
    this.#painter = new CanvasPainter(window, this.#canvas, {
      data: this.#data,
      index: this.#index,
    });
  }

  start(): void {
    this.#nameLanes();
    this.#listenToPointer();
    this.#listenToControls();
    this.#window.addEventListener("keydown", (event) => this.#press(event));
    this.#window.addEventListener("resize", () => this.#resize());
    this.#window.addEventListener("hashchange", () => this.#followHash());
    const scheme = this.#window.matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", () => {
      this.#painter.forgetColours();
      this.#redraw();
    });
    this.#resize();
    this.#tell(undefined);
    this.#followHash();
  }

  #nameLanes(): void {
    const { lanes, headPx, heightPx } = this.#data;
    const box = this.#element("lanes");
    box.style.height = `${heightPx}px`;
    this.#element("stage").style.height = `${heightPx + headPx}px`;
    box.replaceChildren(
      ...lanes.map(({ name, topPx, heightPx: height }) => {
        const label = this.#window.document.createElement("div");
        label.textContent = name;
        label.className = "lane";
        label.style.top = `${topPx}px`;
        label.style.height = `${height}px`;
        return label;
      }),
    );
  }

  #listenToPointer(): void {
    const canvas = this.#canvas;
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      this.#drag = { x: event.clientX, y: event.clientY, hasMoved: false };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => {
      const isClick = this.#drag?.hasMoved === false;
      this.#drag = undefined;
      if (isClick) this.#choose(event);
    });
    canvas.addEventListener("pointercancel", () => {
      this.#drag = undefined;
    });
    canvas.addEventListener("pointerleave", () => this.#tell(undefined));
    this.#scroll.addEventListener("scroll", () => this.#redraw());
  }

  #listenToControls(): void {
    const on = (id: string, action: () => void): void =>
      this.#element(id).addEventListener("click", action);
    on("zoom-in", () => this.#zoom(0.5));
    on("zoom-out", () => this.#zoom(2));
    on("earlier", () => this.#pan(-0.5));
    on("later", () => this.#pan(0.5));
    on("whole", () => this.#whole());
    on("to-violation", () => this.#toViolation());
    on("next", () => this.#next(false));
    on("previous", () => this.#next(true));
    this.#element("legend").addEventListener("click", ({ target }) => {
      const word = target.dataset.word;
      if (word === undefined) return;
      this.#filter.value = this.#filter.value.includes(word) ? "" : word;
      this.#applyFilter();
    });
    this.#filter.addEventListener("input", () => this.#applyFilter());
  }

  #applyFilter(): void {
    this.#index.filter(this.#filter.value);
    this.#redraw();
  }

  #wheel(event: PageEvent): void {
    event.preventDefault();
    // A wheel may count in lines or pages; this makes them pixels.
    const unit = event.deltaMode === 0 ? 1 : event.deltaMode === 1 ? 16 : 400;
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      this.#pan(((event.deltaX || event.deltaY) * unit) / this.#painter.width);
      return;
    }
    const x = this.#place(event).x - this.#data.gutterPx;
    const fraction = Math.min(1, Math.max(0, x / this.#painter.width));
    this.#time.zoom(1.002 ** (event.deltaY * unit), fraction);
    this.#redraw();
  }

  #move(event: PageEvent): void {
    const drag = this.#drag;
    if (drag === undefined) {
      this.#tell(this.#itemAt(event) ?? this.#markAt(event));
      return;
    }
    const [dx, dy] = [event.clientX - drag.x, event.clientY - drag.y];
    if (!drag.hasMoved && Math.abs(dx) + Math.abs(dy) < 4) return;
    this.#drag = { x: event.clientX, y: event.clientY, hasMoved: true };
    this.#scroll.scrollTop -= dy;
    this.#pan(-dx / this.#painter.width);
  }

  #press(event: PageEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target === this.#filter) {
      if (event.key === "Enter") this.#next(event.shiftKey);
      if (event.key === "Escape") this.#canvas.focus();
      return;
    }
    // A focused button handles its own keys.
    if (event.target.tagName === "BUTTON" && /^( |Enter)$/.test(event.key)) return;
    const actions: Readonly<Record<string, () => void>> = {
      "+": () => this.#zoom(0.5),
      "=": () => this.#zoom(0.5),
      "-": () => this.#zoom(2),
      "0": () => this.#whole(),
      ArrowLeft: () => this.#pan(-0.2),
      ArrowRight: () => this.#pan(0.2),
      ArrowUp: () => this.#climb(-1),
      ArrowDown: () => this.#climb(1),
      n: () => this.#next(false),
      N: () => this.#next(true),
      v: () => this.#toViolation(),
      "/": () => this.#filter.focus(),
      Escape: () => this.#select(undefined),
    };
    const action = Object.hasOwn(actions, event.key) ? actions[event.key] : undefined;
    if (action === undefined) return;
    event.preventDefault();
    action();
  }

  #climb(rows: number): void {
    this.#scroll.scrollTop += rows * this.#data.rowPx * 2;
  }

  #zoom(factor: number): void {
    this.#time.zoom(factor, 0.5);
    this.#redraw();
  }

  #pan(fraction: number): void {
    this.#time.pan(fraction);
    this.#redraw();
  }

  #whole(): void {
    this.#time.whole();
    this.#redraw();
  }

  #next(isBackwards: boolean): void {
    const { items } = this.#data;
    const chosen = this.#selected === undefined ? undefined : items[this.#selected];
    const place = this.#index.next(chosen?.fromUs ?? this.#time.fromUs, isBackwards);
    if (place !== undefined) this.#show(place);
  }

  /** Selects an item and brings it into view. */
  #show(place: number): void {
    const item = this.#data.items[place] as PageItem;
    const { fromUs, toUs, spanUs } = this.#time;
    if (item.fromUs < fromUs || item.fromUs > toUs) this.#time.center(item.fromUs, spanUs);
    this.#scrollTo(item.row);
    this.#select(place);
  }

  #toViolation(): void {
    const { violation, toUs, fromUs, items } = this.#data;
    if (violation === undefined) return;
    const item = violation.item === undefined ? undefined : items[violation.item];
    const length = item === undefined ? 0 : item.toUs - item.fromUs;
    const span = Math.max(length * 6, Math.min(this.#time.spanUs, (toUs - fromUs) / 100));
    const middle = item === undefined ? violation.atUs : (item.fromUs + item.toUs) / 2;
    this.#time.center(middle, span);
    if (item !== undefined) this.#scrollTo(item.row);
    this.#select(violation.item);
    if (violation.item === undefined) this.#tell(`violation: ${violation.text}`);
  }

  #scrollTo(row: number): void {
    const { rows, headPx, rowPx } = this.#data;
    const topPx = rows[row]?.topPx ?? 0;
    const height = this.#scroll.clientHeight - headPx;
    const above = this.#scroll.scrollTop;
    if (topPx >= above && topPx + rowPx <= above + height) return;
    this.#scroll.scrollTop = topPx - height / 2;
  }

  #followHash(): void {
    if (this.#window.location.hash === "#violation") this.#toViolation();
  }

  #choose(event: PageEvent): void {
    const mark = this.#markAt(event);
    this.#select(this.#itemAt(event));
    if (mark !== undefined) this.#tell(mark);
  }

  #select(place: number | undefined): void {
    this.#selected = place;
    this.#tell(undefined);
    this.#redraw();
  }

  /** Shows the item under the pointer, else the selected one. */
  #tell(what: number | string | undefined): void {
    const place = what ?? this.#selected;
    const text = typeof place === "number" ? this.#data.items[place]?.details : place;
    const details = this.#element("details");
    details.textContent =
      text ?? "Point at an interval to see it, click to keep it. Drag to move, wheel to zoom.";
    this.#canvas.style.cursor = what === undefined ? "grab" : "pointer";
  }

  #itemAt(event: PageEvent): number | undefined {
    const { x, y } = this.#place(event);
    const { rows, headPx, rowPx, gutterPx } = this.#data;
    if (y < headPx || x < gutterPx) return undefined;
    const top = y - headPx + this.#scroll.scrollTop;
    const row = rows.findIndex(({ topPx }) => topPx <= top && top < topPx + rowPx);
    const { width } = this.#painter;
    const slackUs = (4 / width) * this.#time.spanUs;
    return row < 0 ? undefined : this.#index.at(row, this.#time.us(x - gutterPx, width), slackUs);
  }

  #markAt(event: PageEvent): string | undefined {
    const { x, y } = this.#place(event);
    const { headPx, gutterPx, marks, violation } = this.#data;
    if (y < 22 || y >= headPx) return undefined;
    const away = (atUs: number): number => x - gutterPx - this.#time.x(atUs, this.#painter.width);
    const isNear = (atUs: number): boolean => away(atUs) > -4 && away(atUs) < 10;
    const near = marks.filter(({ atUs }) => isNear(atUs)).map(({ details }) => details);
    if (violation !== undefined && isNear(violation.atUs)) {
      near.unshift(`violation: ${violation.text}`);
    }
    return near.length === 0 ? undefined : near.join("\n\n");
  }

  #place({ clientX, clientY }: PageEvent): { readonly x: number; readonly y: number } {
    const { left, top } = this.#canvas.getBoundingClientRect();
    return { x: clientX - left, y: clientY - top };
  }

  #resize(): void {
    const { clientWidth, clientHeight } = this.#scroll;
    this.#painter.resize(clientWidth, clientHeight);
    this.#element("corner").style.marginTop = `${-clientHeight}px`;
    this.#redraw();
  }

  /** Runs once per frame, however many changes there are. */
  #redraw(): void {
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    this.#window.requestAnimationFrame(() => {
      this.#isDrawing = false;
      this.#painter.draw({
        time: this.#time,
        scrollTop: this.#scroll.scrollTop,
        selected: this.#selected,
      });
      this.#report();
    });
  }

  #report(): void {
    const { fromUs, toUs } = this.#time;
    const { items, operations } = this.#data;
    const { dataset } = this.#canvas;
    dataset.fromUs = String(fromUs);
    dataset.toUs = String(toUs);
    dataset.inView = String(this.#painter.inView);
    const shown = this.#index.shown === items.length ? "all" : String(this.#index.shown);
    const range = `${(fromUs / 1000).toFixed(3)} to ${(toUs / 1000).toFixed(3)} ms`;
    this.#element("status").textContent =
      `${operations} operations; ${shown} of ${items.length} intervals and events match, ${this.#painter.inView} in view; ${range}`;
  }

  #element(id: string): PageElement {
    const element = this.#window.document.getElementById(id);
    if (element === null) throw new Error(`the page has no element ${id}`);
    return element;
  }
}
