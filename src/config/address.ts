/** Parses the URLs of flags as etcd takes them, and says where to listen for them. */
export type Address = { readonly isTls: boolean } & (
  | { readonly host: string; readonly port: number }
  | {
      /** Path of a Unix socket's file. */
      readonly socketPath: string;
    }
);

/**
 * The URL in the form in which members compare and publish it, without a trailing slash. A string:
 * why the text is no URL, in etcd's words where etcd's users may look for them.
 */
export function checkUrl(text: string): { readonly url: string } | string {
  if (/^unixs?:\/\/./.test(text)) return { url: text };
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return "it must be a URL like http://127.0.0.1:2379";
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    return "URL scheme must be http, https, unix, or unixs";
  }
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "") {
    return "URL must not contain a path: it must not have a path";
  }
  if (url.username !== "" || url.password !== "") return "it must not name a user";
  // The URL class drops the scheme's own port; etcd requires every port in writing.
  if (!/:\d+\/?$/.test(text)) return 'it must have a port, in the form "host:port"';
  return { url: text.replace(/\/$/, "") };
}

/** Of a checked URL. */
export function addressOf(url: string): Address {
  const socket = /^unix(s?):\/\/(.+)$/.exec(url);
  if (socket !== null) return { isTls: socket[1] === "s", socketPath: socket[2] as string };
  const { hostname, protocol } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, "");
  return { isTls: protocol === "https:", host, port: Number(/:(\d+)$/.exec(url)?.[1]) };
}
