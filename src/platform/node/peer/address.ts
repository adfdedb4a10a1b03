/** Where to dial for a peer URL. */
export function addressOf(peerUrl: string): { readonly host: string; readonly port: number } {
  const url = new URL(peerUrl);
  return { host: url.hostname.replace(/^\[|\]$/g, ""), port: Number(url.port || 80) };
}
