/** While a member reads its data at a start, the address of metrics says that it lives and is not ready. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect, test } from "vitest";
import { resolveConfig } from "../../src/config/server-config.js";
import { type RunningServer, serve } from "../../src/embed.js";
import { freePorts } from "../../src/platform/node/free-ports.js";
import { EtcdClient } from "../support/client.js";
import { putMany } from "../support/many-keys.js";

const folder = mkdtempSync(join(tmpdir(), "lockstep-starting-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let server: RunningServer | undefined;
afterEach(() => server?.stop());

async function page(url: string): Promise<string | undefined> {
  try {
    const answer = await fetch(url);
    return `${answer.status} ${(await answer.text()).trim()}`;
  } catch {
    return undefined;
  }
}

test("/livez is 200 and the rest 503 before the data is read; then the member's own pages", async () => {
  const [client, peer, metrics] = (await freePorts("127.0.0.1", 3)) as [number, number, number];
  const url = (port: number): string => `http://127.0.0.1:${port}`;
  const flags = {
    ...{ "data-dir": join(folder, "one"), "max-txn-ops": "5000" },
    ...{ "listen-client-urls": url(client), "advertise-client-urls": url(client) },
    ...{ "listen-peer-urls": url(peer), "initial-advertise-peer-urls": url(peer) },
    ...{ "initial-cluster": `default=${url(peer)}`, "listen-metrics-urls": url(metrics) },
  };
  const start = () => serve(resolveConfig(new Map(Object.entries(flags))), () => {});
  server = await start();
  await server.ready;
  const filler = new EtcdClient(`127.0.0.1:${client}`);
  await putMany(filler, 15_000);
  filler.close();
  await server.stop();

  let isRunning = false;
  const starting = start().then((running) => {
    isRunning = true;
    return running;
  });
  const seen = { livez: new Set<string>(), readyz: new Set<string>(), health: new Set<string>() };
  while (!isRunning) {
    for (const [name, answers] of Object.entries(seen)) {
      const answer = await page(`${url(metrics)}/${name}`);
      if (answer !== undefined && !isRunning) answers.add(answer);
    }
  }
  server = await starting;
  expect([...seen.livez]).toEqual(["200 ok"]);
  expect([...seen.readyz]).toEqual(["503 the member is starting"]);
  expect([...seen.health]).toEqual(['503 {"health":"false","reason":"the member is starting"}']);
  await server.ready;
  expect(await page(`${url(metrics)}/readyz`)).toBe("200 ok");
  expect(await page(`${url(metrics)}/version`)).toContain("etcdserver");
});
