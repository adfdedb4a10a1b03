/** The style of the history page. Colours are variables, which the canvas reads, too. */

/** Kinds of items, in the order of the legend. */
export const itemKinds = [
  "range",
  "put",
  "delete",
  "txn",
  "leaseGrant",
  "leaseRevoke",
  "leaseKeepAlive",
  "compact",
  "other",
  "watch",
  "event",
] as const;

const light: Readonly<Record<string, string>> = {
  page: "#ffffff",
  stripe: "#f3f5f8",
  grid: "#e2e6ec",
  text: "#1c2430",
  quiet: "#5f6b7a",
  label: "#ffffff",
  edge: "#1c2430",
  range: "#3b6fb6",
  put: "#2f855a",
  delete: "#a3541b",
  txn: "#6b46c1",
  leaseGrant: "#0f766e",
  leaseRevoke: "#8a5a00",
  leaseKeepAlive: "#4d7c8a",
  compact: "#9d3c72",
  other: "#66707f",
  watch: "#7a8699",
  event: "#1c2430",
  unknown: "#b45309",
  refused: "#7f1d1d",
  wrong: "#d11a2a",
  fault: "#dd6b20",
  heal: "#2f855a",
  leader: "#6b46c1",
  note: "#66707f",
};

const dark: Readonly<Record<string, string>> = {
  page: "#14181f",
  stripe: "#1b212b",
  grid: "#2b3340",
  text: "#e6eaf0",
  quiet: "#9aa6b6",
  label: "#0d1117",
  edge: "#e6eaf0",
  range: "#7fb0f0",
  put: "#6fcf97",
  delete: "#e09a5f",
  txn: "#b79df2",
  leaseGrant: "#5fcfc3",
  leaseRevoke: "#d9b45f",
  leaseKeepAlive: "#8fc1cf",
  compact: "#e08fbb",
  other: "#9aa6b6",
  watch: "#7a8699",
  event: "#ffffff",
  unknown: "#f5a742",
  refused: "#f08a8a",
  wrong: "#ff5a67",
  fault: "#f59e58",
  heal: "#6fcf97",
  leader: "#b79df2",
  note: "#9aa6b6",
};

export function historyCss(sizes: { readonly gutterPx: number; readonly headPx: number }): string {
  const chips = itemKinds.map((kind) => `.chip.${kind}::before { background: var(--${kind}); }`);
  return `:root { color-scheme: light dark; ${variables(light)} }
@media (prefers-color-scheme: dark) { :root { ${variables(dark)} } }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
html, body { height: 100%; margin: 0; }
body { display: flex; flex-direction: column; background: var(--page); color: var(--text); font: 13px/1.4 system-ui, sans-serif; }
header { padding: 8px 12px 6px; border-bottom: 1px solid var(--grid); }
h1 { margin: 0; font-size: 16px; overflow-wrap: anywhere; }
#wrong { margin: 2px 0; color: var(--wrong); font-weight: 600; overflow-wrap: anywhere; max-height: 5.6em; overflow-y: auto; }
.controls { display: flex; flex-wrap: wrap; gap: 4px; align-items: center; margin: 6px 0 4px; }
input, button { font: inherit; color: inherit; background: var(--stripe); border: 1px solid var(--quiet); border-radius: 4px; padding: 2px 8px; }
input { min-width: 22em; flex: 0 1 32em; }
button { cursor: pointer; }
#to-violation { color: var(--wrong); border-color: var(--wrong); }
#status, .keys { color: var(--quiet); font-size: 12px; }
#legend { display: flex; flex-wrap: wrap; gap: 2px 4px; }
.chip { border: 0; background: none; padding: 0 5px; font-size: 12px; }
.chip::before { content: ""; display: inline-block; width: 11px; height: 11px; margin-right: 4px; border-radius: 2px; vertical-align: -1px; background: var(--other); }
${chips.join("\n")}
.chip.unknown::before { background: none; border-bottom: 3px dashed var(--unknown); border-radius: 0; }
.chip.refused::before { height: 3px; margin-bottom: 4px; background: var(--refused); }
#scroll { flex: 1 1 0; min-height: 120px; overflow-x: hidden; overflow-y: auto; }
#stage { position: relative; min-height: 100%; }
#canvas { position: sticky; top: 0; display: block; touch-action: none; outline-offset: -2px; }
#corner { position: sticky; top: 0; z-index: 2; width: ${sizes.gutterPx}px; height: ${sizes.headPx}px; padding: 2px 8px; background: var(--page); color: var(--quiet); font-size: 12px; border-bottom: 1px solid var(--quiet); pointer-events: none; }
#lanes { position: relative; z-index: 1; width: ${sizes.gutterPx}px; pointer-events: none; }
.lane { position: absolute; left: 8px; right: 4px; padding-top: 2px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-weight: 600; }
#details { margin: 0; height: 13em; overflow: auto; padding: 8px 12px; border-top: 1px solid var(--quiet); background: var(--stripe); font: 12px/1.45 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; columns: 42em auto; }
`;
}

function variables(colours: Readonly<Record<string, string>>): string {
  return Object.entries(colours)
    .map(([name, colour]) => `--${name}: ${colour};`)
    .join(" ");
}
