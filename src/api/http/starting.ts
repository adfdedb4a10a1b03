/**
 * What the addresses of metrics answer while the member reads its data, before there is a member: it
 * lives, and is not ready.
 */
import type { HttpAnswer, HttpRequest } from "./http.js";

const reason = "the member is starting";
const text = { "Content-Type": "text/plain; charset=utf-8" };

/** 200 for /livez, 503 with the reason for everything else. */
export function startingAnswer({ method, url }: HttpRequest): HttpAnswer {
  const [path] = url.split("?", 1);
  if (method === "GET" && path === "/livez") return { status: 200, headers: text, body: "ok\n" };
  if (path === "/health") {
    const headers = { "Content-Type": "application/json" };
    return { status: 503, headers, body: JSON.stringify({ health: "false", reason }) };
  }
  return { status: 503, headers: text, body: `${reason}\n` };
}
