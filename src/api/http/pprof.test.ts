/** The pages of --enable-pprof: one profile at a time, for as long as was asked. */
import { expect, test } from "vitest";
import { cpuProfile } from "../../platform/node/profiler.js";
import { answerPprof, type TakeProfile } from "./pprof.js";

const ask = (url: string, take: TakeProfile = cpuProfile) =>
  new Promise<{ status: number; body: string } | undefined>((resolve) => {
    if (!answerPprof({ url }, take, resolve)) resolve(undefined);
  });

test("a profile has samples of this process; a second one has to wait", async () => {
  const first = ask("/debug/pprof/profile?seconds=0.2");
  expect((await ask("/debug/pprof/profile?seconds=0.2"))?.status).toBe(409);
  const { status, body } = (await first) ?? { status: 0, body: "{}" };
  expect(status).toBe(200);
  const profile = JSON.parse(body);
  expect(profile.nodes[0].callFrame.functionName).toBe("(root)");
  expect(profile.endTime - profile.startTime).toBeGreaterThan(150_000);
  expect((await ask("/debug/pprof/profile?seconds=0.01"))?.status).toBe(200);
});

test("an index, bad times, failures, other paths", async () => {
  expect((await ask("/debug/pprof/"))?.body).toContain("seconds=30");
  for (const seconds of ["0", "-1", "301", "soon"]) {
    expect((await ask(`/debug/pprof/profile?seconds=${seconds}`))?.status).toBe(400);
  }
  const failing = () => Promise.reject(new Error("no inspector"));
  expect(await ask("/debug/pprof/profile", failing)).toMatchObject({ status: 500 });
  expect(await ask("/health")).toBeUndefined();
});
