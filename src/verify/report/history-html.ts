/**
 * A client history as one HTML file: lanes, intervals, faults and leader changes on one time line,
 * with zoom, filter and a jump to the violation. Self-contained; its security policy forbids the
 * network. The script is the source text of the classes in browser/, so a reader of the file finds
 * the same code as a reader of the repository. The content of the history is data and never becomes
 * markup or code.
 */
import { invariant } from "../../base/invariant.js";
import { CanvasPainter } from "./browser/canvas-painter.js";
import { HistoryApp } from "./browser/history-app.js";
import { ItemIndex } from "./browser/item-index.js";
import type { PageData } from "./browser/page-data.js";
import { TimeWindow } from "./browser/time-window.js";
import { historyCss, itemKinds } from "./history-css.js";
import { type HistoryPageInput, layOutHistory } from "./history-page.js";
import { xmlText } from "./xml-text.js";

/** The whole file. The same history gives the same bytes. */
export function renderHistoryHtml(input: HistoryPageInput): string {
  const data = layOutHistory(input);
  const title = xmlText(input.title);
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>${title}</title>
<style>
${historyCss(data)}</style>
</head>
<body>
${headerOf(title, data)}
<main id="scroll"><div id="stage"><canvas id="canvas" tabindex="0" role="img" aria-label="operations of each client over time"></canvas><div id="corner">time<br>events</div><div id="lanes"></div></div></main>
<pre id="details" aria-live="polite"></pre>
<script type="application/json" id="history">${jsonText(data)}</script>
<script>
${pageScript()}
</script>
</body>
</html>
`;
}

function headerOf(title: string, { violation, items }: PageData): string {
  const used = new Set(items.map(({ kind }) => kind));
  const chips = [
    ...itemKinds.filter((kind) => used.has(kind)).map((kind) => chip(kind, `kind:${kind}`)),
    chip("unknown", "outcome:unknown"),
    chip("refused", "outcome:refused"),
  ];
  const wrong = violation === undefined ? " hidden" : "";
  return `<header>
<h1>${title}</h1>
<p id="wrong"${wrong}>${xmlText(violation?.text ?? "")}</p>
<div class="controls">
<input id="filter" type="search" aria-label="filter" placeholder="filter: put key:a client:3 outcome:unknown ...">
<button id="previous" title="previous match (N)">previous</button><button id="next" title="next match (n)">next</button>
<button id="zoom-in" title="zoom in (+)">+</button><button id="zoom-out" title="zoom out (-)">&minus;</button>
<button id="earlier" title="earlier (left)">&larr;</button><button id="later" title="later (right)">&rarr;</button>
<button id="whole" title="the whole history (0)">whole</button>
<button id="to-violation" title="to the violation (v)"${wrong}>violation</button>
<span class="keys">keys: + - 0 arrows n N v / Esc</span>
</div>
<div id="legend">${chips.join("")}</div>
<div id="status" role="status"></div>
</header>`;
}

function chip(name: string, word: string): string {
  return `<button class="chip ${name}" data-word="${word}" title="filter by ${word}">${name}</button>`;
}

/** JSON that cannot end its script element, in any encoding. */
function jsonText(data: PageData): string {
  return JSON.stringify(data).replace(
    /[<>&\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function pageScript(): string {
  const classes = { TimeWindow, ItemIndex, CanvasPainter, HistoryApp };
  const parts = Object.entries(classes).map(([name, value]) => `const ${name} = ${String(value)};`);
  const script = `"use strict";
// Some tools that run TypeScript directly let names be kept by a call of this.
const __name = (value) => value;
${parts.join("\n")}
new HistoryApp(window, { TimeWindow, ItemIndex, CanvasPainter }).start();`;
  invariant(!/<\/script|<!--/i.test(script), "the page's own script ends its element");
  return script;
}
