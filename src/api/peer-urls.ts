/**
 * Checks the peer URLs of a membership change by etcd's rules, and sorts them as etcd keeps them.
 */

const schemes = ["http:", "https:", "unix:", "unixs:"];

/**
 * The URLs, sorted and without surrounding spaces. Undefined: there is none, or etcd would refuse
 * one.
 */
export function normalPeerUrls(urls: readonly string[]): readonly string[] | undefined {
  const trimmed = urls.map((url) => url.trim());
  if (trimmed.length === 0 || !trimmed.every(isPeerUrl)) return undefined;
  return trimmed.sort();
}

/** True for a known scheme with host and port, and no path. */
function isPeerUrl(text: string): boolean {
  // The URL class drops a scheme's default port and adds a path. So this expression reads those
  // parts, and the class only the rest.
  const parts = /^([a-z]+:)\/\/(\[[0-9a-fA-F:.%]+\]|[^/:?#@[\]\s]+):(\d{0,5})$/.exec(text);
  return parts !== null && schemes.includes(parts[1] ?? "") && URL.canParse(text);
}
