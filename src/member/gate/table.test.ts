/** The table of admission: complete, and with the rules that no RPC of its kind may lack. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import * as rule from "./rules.js";
import { type RpcRules, rpcTable } from "./table.js";

const table: Readonly<Record<string, RpcRules>> = rpcTable;

interface Declared {
  readonly name: string;
  readonly kind: string;
}

/** All RPCs of the services in proto/. */
function declaredRpcs(): Declared[] {
  const folder = new URL("../../../proto/", import.meta.url);
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".proto"),
  );
  return files.flatMap((file) => rpcsIn(readFileSync(new URL(file, folder), "utf8")));
}

function rpcsIn(text: string): Declared[] {
  const scope = /^package ([\w.]+);/m.exec(text)?.[1] ?? "";
  const services = [...text.matchAll(/^service (\w+) \{\n([\s\S]*?)^\}/gm)];
  return services.flatMap(([, service, body]) => {
    const rpcs = [...(body ?? "").matchAll(/rpc (\w+)\((stream )?[\w.]+\) returns \((stream )?/g)];
    return rpcs.map(([, rpc, asks, answers]) => ({
      name: `/${scope}.${service}/${rpc}`,
      kind: asks !== undefined ? "bidi" : answers !== undefined ? "serverStream" : "unary",
    }));
  });
}

describe("the table of admission", () => {
  test("has each RPC that proto/ declares, with its kind", () => {
    const declared = declaredRpcs();
    expect(declared.length).toBeGreaterThan(40);
    for (const { name, kind } of declared) expect([name, table[name]?.kind]).toEqual([name, kind]);
  });

  test("has no RPC that proto/ does not declare", () => {
    const declared = new Set(declaredRpcs().map(({ name }) => name));
    const others = Object.keys(table).filter((name) => !declared.has(name));
    expect(others).toEqual([]);
  });

  test("the walk finds an RPC that was added to proto/", () => {
    const text = "package a.b;\nservice S {\n  rpc M(stream x.In) returns (stream Out) {}\n}\n";
    expect(rpcsIn(text)).toEqual([{ name: "/a.b.S/M", kind: "bidi" }]);
  });

  /** It answers each question at once, and ends when its client leaves answers unread. */
  const isReflection = (name: string): boolean => name.startsWith("/grpc.reflection.");

  test.each(Object.entries(table))("%s: what its column may not lack", (name, rules) => {
    expect(rules.arrival).toContain(rule.notStopping);
    const beforeLog = [...(rules.write ?? []), ...(rules.change ?? [])];
    if (beforeLog.length > 0) {
      const always = [rule.notStopping, rule.soundState, rule.applyKeepsUp, rule.queueHasRoom];
      expect(beforeLog).toEqual(expect.arrayContaining(always));
    }
    if (rules.write !== undefined) {
      expect(rules.write).toEqual(expect.arrayContaining([rule.withinSize, rule.withinQuota]));
    }
    if (rules.change !== undefined) expect(rules.change).toContain(rule.keepsQuorum);
    // A client's stream has its limit. The server's answers on others are bounded by their own readers.
    expect(rules.queue).toEqual(
      rules.kind === "bidi" && !isReflection(name) ? [rule.streamHasRoom] : undefined,
    );
    const usesState = rules.read ?? rules.write ?? rules.change ?? rules.relay;
    if (usesState !== undefined) expect(rules.arrival).toContain(rule.soundState);
  });

  test.each(Object.entries(table).filter(([name]) => name.startsWith("/etcdserverpb.KV/")))(
    "%s: no keys while the cluster's CORRUPT alarm is active",
    (_, rules) => expect(rules.arrival).toContain(rule.noCorruptAlarm),
  );

  test("what a learner answers is listed here, and nothing else", () => {
    const open = Object.keys(table).filter(
      (name) => table[name]?.arrival.includes(rule.notLearner) === false,
    );
    const served = open.filter((name) => !name.startsWith("/etcdserverpb.Auth/"));
    expect(served).toEqual([
      "/etcdserverpb.KV/Range",
      "/etcdserverpb.Maintenance/Status",
      "/etcdserverpb.Maintenance/Snapshot",
      "/grpc.health.v1.Health/Check",
      "/grpc.health.v1.Health/Watch",
      "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
      "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
      "/lockstep.Integrity/Report",
    ]);
    expect(table["/etcdserverpb.KV/Range"]?.read).toEqual([rule.localOnLearner]);
  });
});
