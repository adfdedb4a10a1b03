/** What etcd 3.5.16 answered to the same targets (test/clients/http-targets.test.ts asks it). */
import { expect, test } from "vitest";
import { targetOf } from "./target.js";

test.each([
  ["/v3/kv/put", "/v3/kv/put"],
  ["/version?a=%2F", "/version?a=%2F"],
  ["http://x:1/v3/kv/put?b", "/v3/kv/put?b"],
  ["/v3/kv/pu%74", "/v3/kv/put"],
  ["/v3/kv%2fput", "/v3/kv/put"],
  // A question mark that was escaped begins no query.
  ["/v3/kv/put%3Fx=1", "/v3/kv/put%3Fx=1"],
  ["/v3/kv/put/", "/v3/kv/put/"],
  ["/", "/"],
])("%s is %s", (given, url) => {
  expect(targetOf("POST", given)).toEqual({ url });
});

test.each([
  ["//version", "/version"],
  ["/v3//kv/put?x=1", "/v3/kv/put?x=1"],
  ["/v3/kv/../kv/put", "/v3/kv/put"],
  ["/v3/kv/%2e%2e/kv/put", "/v3/kv/put"],
  ["/../../etc/passwd", "/etc/passwd"],
  ["/health/..", "/"],
  ["/a/./", "/a/"],
  ["/v3", "/v3/"],
  ["HTTPS://x", "/"],
  ["//evil.example/%0d%0aX: y", "/evil.example/%0D%0AX:%20y"],
])("%s is redirected to %s", (given, location) => {
  for (const method of ["GET", "POST"]) {
    const target = targetOf(method, given);
    if (!("answer" in target)) throw new Error(`not redirected: ${target.url}`);
    expect(target.answer).toMatchObject({ status: 301, headers: { Location: location } });
    expect(target.answer.body === "").toBe(method === "POST");
  }
});

test.each(["/%", "/%zz", "/%ff", "*"])("%s is refused", (given) => {
  expect(targetOf("GET", given)).toMatchObject({ answer: { status: 400 } });
});

test("OPTIONS may ask about the server as a whole", () => {
  expect(targetOf("OPTIONS", "*")).toEqual({ url: "*" });
});
