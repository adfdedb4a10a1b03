/**
 * The part of a browser that the history view uses. It is declared here and not taken from
 * TypeScript's DOM library: that would make a browser's globals visible in the whole program, which
 * runs in Node. The page passes its window as an argument.
 */

export interface Context2d {
  fillStyle: string;
  strokeStyle: string;
  lineWidth: number;
  font: string;
  globalAlpha: number;
  textBaseline: "middle";
  fillRect(x: number, y: number, width: number, height: number): void;
  strokeRect(x: number, y: number, width: number, height: number): void;
  fillText(text: string, x: number, y: number): void;
  beginPath(): void;
  moveTo(x: number, y: number): void;
  lineTo(x: number, y: number): void;
  rect(x: number, y: number, width: number, height: number): void;
  stroke(): void;
  fill(): void;
  clip(): void;
  save(): void;
  restore(): void;
  setLineDash(lengths: readonly number[]): void;
  setTransform(a: number, b: number, c: number, d: number, e: number, f: number): void;
}

export interface PageEvent {
  readonly key: string;
  readonly shiftKey: boolean;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
  readonly clientX: number;
  readonly clientY: number;
  readonly deltaX: number;
  readonly deltaY: number;
  readonly deltaMode: number;
  readonly pointerId: number;
  readonly buttons: number;
  readonly target: PageElement;
  preventDefault(): void;
}

/** An element of any kind. */
export interface PageElement {
  textContent: string | null;
  className: string;
  title: string;
  hidden: boolean;
  value: string;
  width: number;
  height: number;
  scrollTop: number;
  readonly tagName: string;
  readonly clientWidth: number;
  readonly clientHeight: number;
  readonly style: { top: string; height: string; width: string; marginTop: string; cursor: string };
  readonly dataset: Record<string, string | undefined>;
  addEventListener(
    name: string,
    listener: (event: PageEvent) => void,
    options?: { readonly passive: boolean },
  ): void;
  getBoundingClientRect(): { readonly left: number; readonly top: number };
  getContext(kind: "2d"): Context2d;
  append(...children: PageElement[]): void;
  replaceChildren(...children: PageElement[]): void;
  setPointerCapture(id: number): void;
  focus(): void;
}

export interface PageWindow {
  readonly devicePixelRatio: number;
  readonly location: { hash: string };
  readonly document: {
    readonly documentElement: PageElement;
    getElementById(id: string): PageElement | null;
    createElement(name: string): PageElement;
  };
  addEventListener(name: string, listener: (event: PageEvent) => void): void;
  requestAnimationFrame(draw: () => void): void;
  getComputedStyle(element: PageElement): { getPropertyValue(name: string): string };
  matchMedia(query: string): { addEventListener(name: "change", listener: () => void): void };
}
