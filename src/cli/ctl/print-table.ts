/** Draws a table as etcdctl does: headings centred, cells right-aligned, one space around. Pure. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headings.map((heading, at) =>
    Math.max(heading.length, ...rows.map((row) => (row[at] ?? "").length)),
  );
  const rule = `+${widths.map((width) => "-".repeat(width + 2)).join("+")}+\n`;
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |\n`;
  const head = headings.map((heading, at) => {
    const width = widths[at] as number;
    const left = Math.floor((width - heading.length) / 2);
    return (" ".repeat(left) + heading).padEnd(width);
  });
  const body = rows.map((row) => line(row.map((cell, at) => cell.padStart(widths[at] as number))));
  return rule + line(head) + rule + body.join("") + (body.length > 0 ? rule : "");
}
