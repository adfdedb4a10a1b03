/**
 * Shortens long values of a history to their beginning, length and a hash (FNV-1a), so that
 * megabytes of them need not be kept. Values of torture clients begin with what makes them unique.
 */
import { fnv1a } from "../base/fnv1a.js";

const longerThan = 200;
const kept = 60;

/** Shortens every long text that stands under a `value` in the content. */
export function abbreviated<T>(content: T): T {
  if (Array.isArray(content)) return content.map((one) => abbreviated(one)) as T;
  if (typeof content !== "object" || content === null) return content;
  if (!hasLongValue(content)) return content;
  const copy = Object.entries(content).map(([name, value]) => [
    name,
    name === "value" && typeof value === "string" ? shortened(value) : abbreviated(value),
  ]);
  return Object.fromEntries(copy) as T;
}

function hasLongValue(content: unknown): boolean {
  if (Array.isArray(content)) return content.some(hasLongValue);
  if (typeof content !== "object" || content === null) return false;
  return Object.entries(content).some(([name, value]) =>
    typeof value === "string" ? name === "value" && value.length > longerThan : hasLongValue(value),
  );
}

function shortened(value: string): string {
  if (value.length <= longerThan) return value;
  return `${value.slice(0, kept)}... ${value.length} bytes, ${fnv1a(value).toString(16)}`;
}
