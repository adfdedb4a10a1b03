/**
 * A row of a running member changes under it: whichever way a client comes upon it, the client gets
 * no wrong answer, and the member stops with the error for its process to tell, instead of taking
 * the whole process along.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect, test } from "vitest";
import { DamageError } from "../../src/base/errors.js";
import { resolveConfig } from "../../src/config/server-config.js";
import { type RunningServer, serve } from "../../src/embed.js";
import { freePorts } from "../../src/platform/node/free-ports.js";
import { Bucket } from "../../src/platform/rows.js";
import { EtcdClient } from "../support/client.js";
import { Watcher } from "../support/watcher.js";

const folder = mkdtempSync(join(tmpdir(), "lockstep-damage-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let server: RunningServer | undefined;
let client: EtcdClient | undefined;
afterEach(async () => {
  client?.close();
  await server?.stop();
});

async function start(name: string): Promise<{ server: RunningServer; client: EtcdClient }> {
  const [clientPort, peerPort] = await freePorts("127.0.0.1", 2);
  const clientUrl = `http://127.0.0.1:${clientPort}`;
  const peerUrl = `http://127.0.0.1:${peerPort}`;
  const flags = {
    "data-dir": join(folder, name),
    "listen-client-urls": clientUrl,
    "advertise-client-urls": clientUrl,
    "listen-peer-urls": peerUrl,
    "initial-advertise-peer-urls": peerUrl,
    "initial-cluster": `default=${peerUrl}`,
  };
  server = await serve(resolveConfig(new Map(Object.entries(flags))), () => {});
  client = new EtcdClient(`127.0.0.1:${clientPort}`);
  await server.ready;
  return { server, client };
}

/** Flips the last bit of the only row of the key bucket, as a failing medium would. */
function damage({ member }: RunningServer): void {
  const backend = member.probe.backend();
  const rows: [Uint8Array, Uint8Array][] = [];
  backend.scan(Bucket.key, { from: new Uint8Array([0]) }, (key, value) => {
    rows.push([key, value.slice()]);
    return true;
  });
  const [[key, value]] = rows as [[Uint8Array, Uint8Array]];
  value[value.length - 1] = (value[value.length - 1] as number) ^ 1;
  backend.write([{ bucket: Bucket.key, key, value }]);
}

const key = Buffer.from("a");
const reads: Readonly<Record<string, (client: EtcdClient) => Promise<unknown>>> = {
  "serializable range": (client) => client.range({ key, serializable: true }),
  "linearizable range": (client) => client.range({ key }),
  "watch of the past": async (client) => {
    const watcher = new Watcher(client);
    watcher.create({ key, start_revision: 1n });
    expect((await watcher.next()).created).toBe(true);
    return watcher.next();
  },
  "hash of the key space": (client) => client.hashKv({}),
};

test.each(Object.entries(reads))("%s: the member stops with the damage", async (name, read) => {
  const { server, client } = await start(name.replaceAll(" ", "-"));
  await client.put({ key, value: Buffer.from("value") });
  damage(server);
  const answer = read(client).catch((error: Error) => error);
  const { removed, error } = await server.stopped;
  expect(removed).toBe(false);
  expect(error).toBeInstanceOf(DamageError);
  expect(await answer).toBeInstanceOf(Error);
});
