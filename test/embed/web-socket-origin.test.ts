/** Pages of foreign origins and requests under foreign host names get no WebSocket. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { resolveConfig } from "../../src/config/server-config.js";
import { type RunningServer, serve } from "../../src/embed.js";
import { freePorts } from "../../src/platform/node/free-ports.js";

const folder = mkdtempSync(join(tmpdir(), "lockstep-origin-"));
let server: RunningServer;
let port: number;

beforeAll(async () => {
  const [client, peer] = (await freePorts("127.0.0.1", 2)) as [number, number];
  port = client;
  const flags = {
    "data-dir": folder,
    "listen-client-urls": `http://127.0.0.1:${client}`,
    "advertise-client-urls": `http://127.0.0.1:${client}`,
    "listen-peer-urls": `http://127.0.0.1:${peer}`,
    "initial-advertise-peer-urls": `http://127.0.0.1:${peer}`,
    "initial-cluster": `default=http://127.0.0.1:${peer}`,
    cors: "https://good.example",
    "host-whitelist": "127.0.0.1",
  };
  server = await serve(resolveConfig(new Map(Object.entries(flags))), () => {});
  await server.ready;
}, 30_000);
afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Resolves to "open", or to the status and body of the refusal. */
function dial(headers: Readonly<Record<string, string>>): Promise<unknown> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v3/watch`, { headers });
  return new Promise((resolve, reject) => {
    socket.on("open", () => {
      socket.terminate();
      resolve("open");
    });
    socket.on("error", reject);
    socket.on("unexpected-response", (_request, response) => {
      let body = "";
      response.on("data", (part: Buffer) => {
        body += part;
      });
      response.on("end", () => resolve({ status: response.statusCode, body }));
    });
  });
}

test("programs, own pages and origins of --cors are served", async () => {
  expect(await dial({})).toBe("open");
  expect(await dial({ Origin: `http://127.0.0.1:${port}` })).toBe("open");
  expect(await dial({ Origin: "https://good.example" })).toBe("open");
});

test("others are refused with the flag that allows them", async () => {
  expect(await dial({ Origin: "https://evil.example" })).toEqual({
    status: 403,
    body: expect.stringContaining("--cors"),
  });
  expect(await dial({ Host: "evil.example", Origin: "https://good.example" })).toEqual({
    status: 421,
    body: expect.stringContaining('--host-whitelist "evil.example"'),
  });
});
