/** Tells whether URLs lead to the same places, written with host names or with numbers. */
import { lookup } from "node:dns/promises";

/**
 * True if each URL of one list has a counterpart in the other: the same text, or the same scheme
 * and port and a host that stands for one of the other's addresses. A host that cannot be looked up
 * is compared by its text alone.
 */
export async function leadToSame(
  some: readonly string[],
  others: readonly string[],
): Promise<boolean> {
  if (some.length !== others.length) return false;
  const these = await Promise.all(some.map(placesOf));
  const those = await Promise.all(others.map(placesOf));
  return haveLikes(these, those) && haveLikes(those, these);
}

/** True if one URL of each list leads to the same place. */
export async function share(some: readonly string[], others: readonly string[]): Promise<boolean> {
  const these = await Promise.all(some.map(placesOf));
  const those = new Set((await Promise.all(others.map(placesOf))).flat());
  return these.flat().some((place) => those.has(place));
}

function haveLikes(these: readonly string[][], those: readonly string[][]): boolean {
  return these.every((one) => those.some((other) => one.some((place) => other.includes(place))));
}

async function placesOf(text: string): Promise<string[]> {
  if (!/^https?:/.test(text)) return [text];
  const { protocol, hostname, port } = new URL(text);
  const host = hostname.replace(/^\[|\]$/g, "");
  const found = await lookup(host, { all: true }).catch(() => []);
  return [text, ...found.map(({ address }) => `${protocol}//${address} ${port}`)];
}
