/** Which pages in browsers may read answers, and under which host names plain HTTP is answered. */
import { expect, test } from "vitest";
import {
  admit,
  type BrowserAccess,
  type BrowserRequest,
  refuseWebSocket,
} from "./browser-access.js";

const any = { allowedOrigins: ["*"], allowedHosts: ["*"] };
const some = { allowedOrigins: ["https://a"], allowedHosts: ["db.example", "::1"] };
const ask = (access: BrowserAccess, more: Partial<BrowserRequest> = {}): ReturnType<typeof admit> =>
  admit({ method: "GET", origin: "", host: "db.example:2379", isSecure: false, ...more }, access);

test("without a list every page may read, and every host name is answered", () => {
  const { headers, answer } = ask(any, { host: "evil.example", origin: "https://evil" });
  expect(answer).toBeUndefined();
  expect(headers).toMatchObject({ "Access-Control-Allow-Origin": "*" });
  expect(Object.keys(headers)).toHaveLength(3);
});

test("with --cors only the named origins are told that they may", () => {
  expect(ask(some, { origin: "https://a" }).headers).toMatchObject({
    "Access-Control-Allow-Origin": "https://a",
  });
  for (const origin of ["https://b", "", "https://a.evil"]) {
    expect(ask(some, { origin }).headers).toEqual({});
  }
});

test("with --host-whitelist plain HTTP under another name is misdirected; TLS is not asked", () => {
  expect(ask(some).answer).toBeUndefined();
  expect(ask(some, { host: "[::1]:2379" }).answer).toBeUndefined();
  const { answer } = ask(some, { host: "evil.example" });
  expect(answer?.status).toBe(421);
  expect(answer?.body).toContain('--host-whitelist "evil.example"');
  expect(ask(some, { host: "evil.example", isSecure: true }).answer).toBeUndefined();
});

test("a browser that asks first is answered at once", () => {
  expect(ask(any, { method: "OPTIONS" }).answer).toMatchObject({ status: 200, body: "" });
});

test("WebSockets: pages of origins that --cors does not name get none, programs and own pages do", () => {
  const request = { method: "GET", host: "db.example:2379", isSecure: false };
  const statusFor = (origin: string, more: Partial<BrowserRequest> = {}, access = some) =>
    refuseWebSocket({ ...request, origin, ...more }, access)?.status;
  expect(["", "https://a", "http://db.example:2379"].map((origin) => statusFor(origin))).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  const foreign = ["https://b", "null", "https://a.evil", "http://db.example", "nonsense"];
  expect(foreign.map((origin) => statusFor(origin))).toEqual(foreign.map(() => 403));
  expect(statusFor("https://b", {}, any)).toBeUndefined();
  expect(statusFor("https://a", { host: "evil.example" })).toBe(421);
  expect(statusFor("https://b", { host: "evil.example", isSecure: true })).toBe(403);
});
