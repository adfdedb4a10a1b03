/**
 * Free TCP ports on the loopback address for servers that must be told their port before they
 * start. The ports lie below the kernel's ephemeral range: a member that is down for a while must
 * not find its port taken by some outgoing connection (or by a client that connected to itself).
 * Never hands out one port twice in a process.
 */
import { randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";

const LOWEST_PORT = 12_000;
const taken = new Set<number>();

function ephemeralStart(): number {
  try {
    const text = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8");
    return Math.max(Number.parseInt(text, 10), LOWEST_PORT + 1_000);
  } catch {
    return 32_768;
  }
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

/** `count` ports on which nobody listens at this moment. */
export async function freePorts(count: number): Promise<number[]> {
  const above = ephemeralStart();
  const ports: number[] = [];
  while (ports.length < count) {
    const port = randomInt(LOWEST_PORT, above);
    if (taken.has(port)) continue;
    taken.add(port);
    if (await canListen(port)) ports.push(port);
  }
  return ports;
}
