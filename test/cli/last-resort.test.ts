/**
 * An error without an owner, in a real member: it makes one line of the log, a stop, and code 1.
 */
import { afterEach, expect, test } from "vitest";
import { Cluster } from "../support/cluster.js";
import { serverCommand } from "../support/server-kind.js";

let cluster: Cluster | undefined;
afterEach(async () => {
  await cluster?.dispose();
  cluster = undefined;
});

/** Runs in the member's process before its program: a signal makes the error. */
function preload(work: string): string {
  return `data:text/javascript,process.on("SIGUSR2",()=>{${encodeURIComponent(work)}})`;
}

test.each([
  ["a throw in a callback", `setTimeout(()=>{throw new TypeError("of nobody")})`, "of nobody"],
  ["a rejection", `Promise.reject(new RangeError("of nobody"))`, "of nobody"],
  ["a throw that is no error", `setTimeout(()=>{throw "of nobody"})`, "of nobody"],
])("%s", async (_name, work, text) => {
  cluster = new Cluster({ kind: "lockstep" });
  const member = await cluster.plan();
  const { command, args } = serverCommand("lockstep");
  member.plan.command = { command, args: ["--import", preload(work), ...args] };
  await member.start();
  await member.client.put({ key: Buffer.from("a"), value: Buffer.from("b") });
  member.process.child.kill("SIGUSR2");
  expect(await member.process.exited).toEqual({ code: 1, signal: null });
  const log = member.process.log().split("\n");
  const lines = log.filter((line) => line !== "" && !line.startsWith("--- "));
  const entries = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  const told = entries.filter(({ msg }) => msg === "an error that nothing has handled");
  expect(told).toHaveLength(1);
  expect(told[0]).toMatchObject({ level: "fatal", error: text });
  expect(told[0]?.["stack"]).toContain(text);
  expect(entries.at(-1)).toMatchObject({ msg: "the member stopped on an error", error: text });
  // A stop that was deliberate has lost nothing.
  member.plan.command = undefined;
  await member.start();
  expect((await member.client.range({ key: Buffer.from("a") })).kvs[0]?.value.toString()).toBe("b");
});
