/**
 * Draws figures as SVG without script, font or link: bars of ratios, and rates over the number of
 * keys.
 */
import type { Row } from "./figures.js";

const style =
  "text{font:12px sans-serif;fill:#1c2430}.small{font-size:11px;fill:#66707f}.etcd{fill:#8fa3bf;stroke:#8fa3bf}" +
  ".own{fill:#2f855a;stroke:#2f855a}.line{fill:none;stroke-width:2}.grid{stroke:#d5dae1}.even{stroke:#c53030;stroke-dasharray:4 3}";
const left = 390;
const barHeight = 18;
const barsWidth = 420;

const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

function svg(title: string, size: readonly [number, number], parts: readonly string[]): string {
  const [width, height] = size;
  const box = `width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${box} role="img"><title>${escaped(title)}</title>`,
    `<style>${style}</style><rect width="${width}" height="${height}" fill="#ffffff"/>`,
    `<text x="16" y="24" font-weight="bold">${escaped(title)}</text>`,
    ...parts,
    "</svg>\n",
  ].join("\n");
}

/** One bar for each scenario: lockstep's rate over etcd's. Undefined: no scenario has both. */
export function ratioBars(rows: readonly Row[]): string | undefined {
  const bars = rows.flatMap(({ name, servers }) => {
    const { etcd35, lockstep } = servers;
    if (etcd35 === undefined || lockstep === undefined) return [];
    return [{ name, ratio: lockstep.perSecond / etcd35.perSecond }];
  });
  if (bars.length === 0) return undefined;
  const most = Math.max(2, ...bars.map(({ ratio }) => ratio));
  const x = (ratio: number): number => left + (ratio / most) * barsWidth;
  const bottom = 44 + bars.length * (barHeight + 4);
  const even = `<path class="even" d="M${x(1).toFixed(1)} 38V${bottom}"/>`;
  const parts = bars.map(({ name, ratio }, at) => {
    const y = 44 + at * (barHeight + 4);
    const width = (x(ratio) - left).toFixed(1);
    return (
      `<text x="${left - 8}" y="${y + 13}" text-anchor="end" class="small">${escaped(name)}</text>` +
      `<rect class="${ratio >= 1 ? "own" : "etcd"}" x="${left}" y="${y}" width="${width}" height="${barHeight}"/>` +
      `<text x="${(x(ratio) + 6).toFixed(1)}" y="${y + 13}">${ratio.toFixed(2)}</text>`
    );
  });
  const title = "Rate, lockstep / etcd 3.5.16 (dashed: equal)";
  return svg(title, [left + barsWidth + 60, bottom + 16], [...parts, even]);
}

const keysOf = (name: string): number | undefined => {
  const found = /^put among ([\d,]+) keys/.exec(name)?.[1];
  return found === undefined ? undefined : Number(found.replaceAll(",", ""));
};

/** Rates of puts over the number of keys in the store, on a logarithmic axis. */
export function growthLines(rows: readonly Row[]): string | undefined {
  const points = rows.flatMap((row) => {
    const keys = keysOf(row.name);
    return keys === undefined ? [] : [{ keys, servers: row.servers }];
  });
  if (points.length < 2) return undefined;
  const rates = points.flatMap(({ servers }) => Object.values(servers).map((of) => of.perSecond));
  const most = Math.max(...rates);
  const [low, high] = [points[0]?.keys ?? 1, points.at(-1)?.keys ?? 10].map(Math.log) as [
    number,
    number,
  ];
  const x = (keys: number): number => 80 + ((Math.log(keys) - low) / (high - low)) * 560;
  const y = (perSecond: number): number => 300 - (perSecond / most) * 240;
  const lines = (["etcd35", "lockstep"] as const).map((server) => {
    const path = points.flatMap(({ keys, servers }) => {
      const rate = servers[server]?.perSecond;
      return rate === undefined ? [] : [`${x(keys).toFixed(1)} ${y(rate).toFixed(1)}`];
    });
    const kind = server === "lockstep" ? "own" : "etcd";
    const last = points.at(-1)?.servers[server]?.perSecond ?? 0;
    const label = `<text x="648" y="${(y(last) + 4).toFixed(1)}">${server === "lockstep" ? "lockstep" : "etcd"}</text>`;
    return `<path class="${kind} line" style="fill:none" d="M${path.join("L")}"/>${label}`;
  });
  const marks = points.map(
    ({ keys }) =>
      `<text x="${x(keys).toFixed(1)}" y="320" text-anchor="middle" class="small">${keys.toLocaleString("en")} keys</text>`,
  );
  const grid = [0, 0.25, 0.5, 0.75, 1].map(
    (share) =>
      `<path class="grid" d="M80 ${y(most * share).toFixed(1)}H640"/><text x="72" y="${(y(most * share) + 4).toFixed(1)}" ` +
      `text-anchor="end" class="small">${Math.round(most * share).toLocaleString("en")}</text>`,
  );
  return svg("Puts a second, one member, 100x10", [720, 340], [...grid, ...lines, ...marks]);
}
