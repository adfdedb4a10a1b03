import net from "node:net";
import { expect, test } from "vitest";
import { freePorts, isFree } from "./free-ports.js";

const host = "127.0.0.1";

test("ports are different, none of those excepted, and can be listened on", async () => {
  const first = await freePorts(host, 5);
  expect(new Set(first).size).toBe(5);
  for (const port of first) expect(await isFree(host, port)).toBe(true);
  const more = await freePorts(host, 5, first);
  expect(more.filter((port) => first.includes(port))).toEqual([]);
});

test("a port somebody listens on is not free, until they stop", async () => {
  const listener = net.createServer();
  const [port] = (await freePorts(host, 1)) as [number];
  await new Promise<void>((resolve) => listener.listen(port, host, resolve));
  expect(await isFree(host, port)).toBe(false);
  await new Promise<void>((resolve) => listener.close(() => resolve()));
  expect(await isFree(host, port)).toBe(true);
});

test("an address of another machine is an error, not an endless search", async () => {
  await expect(freePorts("192.0.2.1", 1)).rejects.toThrow("no free port on 192.0.2.1");
});
