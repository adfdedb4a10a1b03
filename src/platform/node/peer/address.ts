/**
 * Tells where to dial for a peer URL, and whether with TLS. @throws TypeError if the text is no URL
 */
export function addressOf(
  peerUrl: string,
): { readonly isTls: boolean } & (
  | { readonly host: string; readonly port: number }
  | { readonly socketPath: string }
) {
  const socket = /^unix(s?):\/\/(.+)$/.exec(peerUrl);
  if (socket !== null) return { isTls: socket[1] === "s", socketPath: socket[2] as string };
  const url = new URL(peerUrl);
  const isTls = url.protocol === "https:";
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return { isTls, host, port: Number(url.port || (isTls ? 443 : 80)) };
}
