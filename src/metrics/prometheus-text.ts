/**
 * Writes samples in Prometheus' text format 0.0.4: one HELP and TYPE for each family. The samples
 * of a family are written together, in whatever order they come in. Names must be valid already;
 * labels and help are escaped.
 */
import type { HistogramSample, MetricSample } from "./sample.js";

export const prometheusContentType = "text/plain; version=0.0.4; charset=utf-8";

export function prometheusText(samples: readonly (MetricSample | HistogramSample)[]): string {
  const families = new Map<string, string[]>();
  for (const sample of samples) {
    let lines = families.get(sample.name);
    if (lines === undefined) {
      const help = sample.help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
      lines = [`# HELP ${sample.name} ${help}`, `# TYPE ${sample.name} ${sample.type}`];
      families.set(sample.name, lines);
    }
    if (sample.type === "histogram") lines.push(...histogramLines(sample));
    else lines.push(`${sample.name}${labelText(sample.labels)} ${numberText(sample.value)}`);
  }
  return `${[...families.values()].flat().join("\n")}\n`;
}

function histogramLines(sample: HistogramSample): string[] {
  const { name, bounds, counts, labels } = sample;
  const bucket = (bound: number, count: number): string =>
    `${name}_bucket${labelText({ ...labels, le: numberText(bound) })} ${count}`;
  return [
    ...bounds.map((bound, place) => bucket(bound, counts[place] ?? 0)),
    bucket(Number.POSITIVE_INFINITY, sample.count),
    `${name}_sum${labelText(labels)} ${numberText(sample.sum)}`,
    `${name}_count${labelText(labels)} ${sample.count}`,
  ];
}

function labelText(labels: Readonly<Record<string, string>> | undefined): string {
  if (labels === undefined) return "";
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value);
}
