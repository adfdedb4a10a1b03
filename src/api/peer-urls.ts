/** The peer URLs of a membership change: etcd's rules, and the order in which etcd keeps them. */

const schemes = ["http:", "https:", "unix:", "unixs:"];

/** Sorted, without surrounding spaces; undefined if etcd would refuse any, or there is none. */
export function normalPeerUrls(urls: readonly string[]): readonly string[] | undefined {
  const trimmed = urls.map((url) => url.trim());
  if (trimmed.length === 0 || !trimmed.every(isPeerUrl)) return undefined;
  return trimmed.sort();
}

/** A known scheme, host and port, and no path. */
function isPeerUrl(text: string): boolean {
  // The URL class drops a scheme's default port and adds a path, so only the rest is left to it.
  const parts = /^([a-z]+:)\/\/(\[[0-9a-fA-F:.%]+\]|[^/:?#@[\]\s]+):(\d{0,5})$/.exec(text);
  return parts !== null && schemes.includes(parts[1] ?? "") && URL.canParse(text);
}
