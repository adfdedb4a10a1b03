/**
 * The target of a request as etcd's pages and gateway see it, by the rules of Go's ServeMux:
 * escapes are decoded before a path is compared, an absolute target (RFC 9112, 3.2.2) counts by its
 * path, and a path with empty or dot segments is redirected to the clean one.
 */
import type { HttpAnswer } from "./http.js";

/** The path, decoded, and the query; or what is answered instead. */
export type RequestTarget = { readonly url: string } | { readonly answer: HttpAnswer };

const absolute = /^https?:\/\/[^/?#]*/i;
/** Paths below which there is a tree of paths; etcd redirects this one. */
const trees = new Set(["/v3"]);

export function targetOf(method: string, given: string): RequestTarget {
  const relative = given.replace(absolute, "");
  const at = relative.indexOf("?");
  const query = at < 0 ? "" : relative.slice(at);
  const encoded = at < 0 ? relative : relative.slice(0, at);
  const path = decoded(encoded);
  // "*" is for OPTIONS, whose answer does not depend on the path.
  if (path === undefined || (encoded === "*" && method !== "OPTIONS"))
    return { answer: badRequest };
  const clean = trees.has(path) ? `${path}/` : cleanPath(path);
  if (clean === path || encoded === "*") return { url: asUrl(path) + query };
  return { answer: moved(method, encodeURI(asUrl(clean)) + query) };
}

function decoded(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}

/** A decoded question mark is part of the path. */
function asUrl(path: string): string {
  return path.replaceAll("?", "%3F");
}

/** Without empty, "." and ".." segments. A slash at the end stays. */
function cleanPath(path: string): string {
  const kept: string[] = [];
  for (const segment of path.split("/")) {
    if (segment === "..") kept.pop();
    else if (segment !== "" && segment !== ".") kept.push(segment);
  }
  const clean = `/${kept.join("/")}`;
  return path.endsWith("/") && clean !== "/" ? `${clean}/` : clean;
}

const badRequest: HttpAnswer = {
  status: 400,
  headers: { "Content-Type": "text/plain; charset=utf-8", Connection: "close" },
  body: "400 Bad Request",
};

function moved(method: string, location: string): HttpAnswer {
  if (method !== "GET" && method !== "HEAD") {
    return { status: 301, headers: { Location: location }, body: "" };
  }
  const shown = location.replaceAll("&", "&amp;").replaceAll('"', "&#34;");
  return {
    status: 301,
    headers: { Location: location, "Content-Type": "text/html; charset=utf-8" },
    body: `<a href="${shown}">Moved Permanently</a>.\n\n`,
  };
}
