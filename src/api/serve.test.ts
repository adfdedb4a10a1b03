/** Every served method has an entry in the table of admission, and every entry has a method. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { gateMethods } from "../member/gate/gate.fixture.js";
import { rpcTable } from "../member/gate/table.js";
import type { Member } from "../member/types.js";
import { nodeClock } from "../platform/node/clock.js";
import { nodeHash } from "../platform/node/hash.js";
import { AuthTable } from "../state/auth/auth-table.js";
import { callUnary } from "./call.fixture.js";
import { reflectionMethods } from "./reflection/reflection.js";
import { type Handlers, serve } from "./serve.js";
import { allMethods, builtMethods } from "./services.js";

test("the services register exactly the RPCs of the table, with their kinds", () => {
  const member = { ...gateMethods() } as unknown as Member;
  const own = allMethods(member, nodeHash);
  const built = [...own, ...builtMethods(member, own, nodeClock)];
  const methods = [...built, ...reflectionMethods(member, built)];
  const registered = methods.map(({ path, kind }) => [path, kind]);
  const listed = Object.entries(rpcTable).map(([path, { kind }]) => [path, kind]);
  expect(registered.sort()).toEqual(listed.sort());
});

test("a handler runs only when the rules of arrival let the call through", () => {
  let isStopping = false;
  const member = {
    ...gateMethods({ view: { isStopping: () => isStopping } }),
    machine: { auth: new AuthTable() },
  } as unknown as Member;
  const methods = serve(member, "lockstep.Integrity", {
    Report: (request, call) => call.respond(request),
  });
  const call = () => callUnary(methods, "/lockstep.Integrity/Report", Uint8Array.of(7));
  expect(call()).toEqual({ answer: Uint8Array.of(7) });
  isStopping = true;
  expect(call()).toEqual({ status: { code: 14, message: "etcdserver: server stopped" } });
});

test("the types demand each RPC of a service, and refuse others", () => {
  // @ts-expect-error MemberAdd and four more are missing
  const incomplete: Handlers<"etcdserverpb.Cluster"> = {};
  const another: Handlers<"lockstep.Integrity"> = {
    Report: () => {},
    // @ts-expect-error it has no entry in the table
    Other: () => {},
  };
  const member = {} as Member;
  expect(serve(member, "etcdserverpb.Cluster", incomplete)).toEqual([]);
  expect(() => serve(member, "lockstep.Integrity", another)).toThrow();
});

test("status.ts alone ends calls with an error", () => {
  const folder = new URL("./", import.meta.url);
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
    (name) => name.endsWith(".ts") && !/\.(test|fixture)\.ts$|^status\.ts$/.test(name),
  );
  expect(files.length).toBeGreaterThan(15);
  const offenders = files.filter((name) =>
    /\bcall\.fail\(|\bcode: Code\./.test(readFileSync(new URL(name, folder), "utf8")),
  );
  expect(offenders).toEqual([]);
});
