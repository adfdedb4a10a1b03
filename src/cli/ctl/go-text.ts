/**
 * Writes a duration as Go does: in the largest unit that keeps it at or above one, without trailing
 * zeros. Takes nanoseconds; minutes and hours do not occur here.
 */
export function goDuration(nanoseconds: bigint): string {
  const value = Number(nanoseconds);
  if (value < 1e3) return `${value}ns`;
  if (value < 1e6) return `${trimmed(value / 1e3, 3)}\u00b5s`;
  if (value < 1e9) return `${trimmed(value / 1e6, 6)}ms`;
  return `${trimmed(value / 1e9, 9)}s`;
}

function trimmed(value: number, places: number): string {
  return value.toFixed(places).replace(/\.?0+$/, "");
}
