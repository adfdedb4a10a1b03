/**
 * Decides what pages in browsers may do here. --cors names the origins that may read answers,
 * --host-whitelist the host names under which plain HTTP is answered.
 *
 * A page of a foreign site can make its own host name point to this address (DNS rebinding,
 * CVE-2018-5702); its requests then carry that name. Over TLS the certificate prevents that.
 */
import type { HttpAnswer } from "./http.js";

export interface BrowserAccess {
  /** The origins. With "*", or without any, all are allowed. */
  readonly allowedOrigins: readonly string[];
  readonly allowedHosts: readonly string[];
}

export interface BrowserRequest {
  readonly method: string;
  /** The header Origin; "" if there is none. */
  readonly origin: string;
  /** The header Host. */
  readonly host: string;
  /** True if the request came over TLS. */
  readonly isSecure: boolean;
}

export interface Admission {
  /** Headers to add to every answer. */
  readonly headers: Readonly<Record<string, string>>;
  /** The whole answer. Undefined: the handler of the path answers. */
  readonly answer: HttpAnswer | undefined;
}

const corsHeaders: Readonly<Record<string, string>> = {
  "Access-Control-Allow-Headers": "accept, content-type, authorization",
  "Access-Control-Allow-Methods": "POST, GET, OPTIONS, PUT, DELETE",
};
const text = { "Content-Type": "text/plain; charset=utf-8" };

export function admit(request: BrowserRequest, access: BrowserAccess): Admission {
  const { allowedOrigins } = access;
  const misdirected = misdirectedAnswer(request, access);
  if (misdirected !== undefined) return { headers: {}, answer: misdirected };
  const { origin, method } = request;
  const isAllowed = isAny(allowedOrigins) || allowedOrigins.includes(origin);
  const allowed = isAny(allowedOrigins) ? "*" : origin;
  const headers = isAllowed ? { ...corsHeaders, "Access-Control-Allow-Origin": allowed } : {};
  // A browser asks in this way before it sends the request itself.
  const answer = method === "OPTIONS" ? { status: 200, headers: text, body: "" } : undefined;
  return { headers, answer };
}

/**
 * The refusal of a WebSocket, if it is refused. Browsers open one to any site without asking first,
 * and let the page read all that comes. So a page of an origin that --cors does not name gets none.
 * A client that is no browser sends no Origin.
 */
export function refuseWebSocket(
  request: BrowserRequest,
  access: BrowserAccess,
): HttpAnswer | undefined {
  const misdirected = misdirectedAnswer(request, access);
  if (misdirected !== undefined) return misdirected;
  const { origin, host } = request;
  const { allowedOrigins } = access;
  const isOwn = URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
  if (origin === "" || isOwn || isAny(allowedOrigins) || allowedOrigins.includes(origin)) {
    return undefined;
  }
  const body = `Pages of the origin "${origin}" may not open a WebSocket here. Name it in --cors to allow that.\n`;
  return { status: 403, headers: text, body };
}

function misdirectedAnswer(
  request: BrowserRequest,
  { allowedHosts }: BrowserAccess,
): HttpAnswer | undefined {
  const host = withoutPort(request.host);
  if (isAny(allowedHosts) || request.isSecure || allowedHosts.includes(host)) return undefined;
  return { status: 421, headers: text, body: refusalOf(host) };
}

function isAny(allowed: readonly string[]): boolean {
  return allowed.length === 0 || allowed.includes("*");
}

/** The host without its port, and without the brackets of IPv6. */
function withoutPort(host: string): string {
  return host.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
}

function refusalOf(host: string): string {
  return [
    `The host name "${host}" is not allowed here. This protects against DNS rebinding (CVE-2018-5702).`,
    `Add it with --host-whitelist "${host}", or serve clients with TLS, where every name is allowed.`,
    "",
  ].join("\n");
}
