/** In a host's process: an error in a callback of the member stops the member, which tells; the host goes on. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { resolveConfig } from "../../src/config/server-config.js";
import { serve } from "../../src/embed.js";
import { freePorts } from "../../src/platform/node/free-ports.js";

const folder = mkdtempSync(join(tmpdir(), "lockstep-owned-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a throw in a timer: the member stops with that error, and no handler of the process is installed", async () => {
  const [client, peer] = (await freePorts("127.0.0.1", 2)) as [number, number];
  const before = ["uncaughtException", "unhandledRejection"].map((on) => process.listenerCount(on));
  const url = (port: number): string => `http://127.0.0.1:${port}`;
  const flags = {
    "data-dir": join(folder, "one"),
    "listen-client-urls": url(client),
    "advertise-client-urls": url(client),
    "listen-peer-urls": url(peer),
    "initial-advertise-peer-urls": url(peer),
    "initial-cluster": `default=${url(peer)}`,
  };
  const server = await serve(resolveConfig(new Map(Object.entries(flags))), () => {});
  await server.ready;
  const after = ["uncaughtException", "unhandledRejection"].map((on) => process.listenerCount(on));
  expect(after).toEqual(before);
  // The next heartbeat's timer comes upon it.
  Object.assign(server.member.probe.fingerprints, {
    tick: () => {
      throw new TypeError("a bug in a timer");
    },
  });
  const { error, removed } = await server.stopped;
  expect(error).toEqual(new TypeError("a bug in a timer"));
  expect(removed).toBe(false);
  await expect(fetch(`${url(client)}/health`)).rejects.toThrow();
});
