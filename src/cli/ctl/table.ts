/** Tables as etcdctl draws them: centred headings, cells to the right, long texts in several lines. */

const cellWidthMax = 30;

/** Lines end with a line feed. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map(wrapped));
  const widths = headings.map((heading, column) =>
    Math.max(
      heading.length,
      ...cells.flatMap((row) => (row[column] as string[]).map((line) => line.length)),
    ),
  );
  const rule = `+${widths.map((width) => "-".repeat(width + 2)).join("+")}+\n`;
  const line = (texts: readonly string[]): string => `| ${texts.join(" | ")} |\n`;
  const title = line(headings.map((heading, at) => centred(heading, widths[at] as number)));
  const body = cells.map((row) => {
    const height = Math.max(...row.map((lines) => lines.length));
    const lines = Array.from({ length: height }, (_, at) =>
      line(row.map((parts, column) => (parts[at] ?? "").padStart(widths[column] as number))),
    );
    return lines.join("");
  });
  return `${rule}${title}${rule}${body.join("")}${body.length === 0 ? "" : rule}`;
}

function centred(text: string, width: number): string {
  const left = Math.floor((width - text.length) / 2);
  return (" ".repeat(left) + text).padEnd(width);
}

function wrapped(text: string): string[] {
  const lines = [""];
  for (const word of text.trim().split(/\s+/)) {
    const last = lines[lines.length - 1] as string;
    if (last === "") lines[lines.length - 1] = word;
    else if (last.length + 1 + word.length <= cellWidthMax)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
