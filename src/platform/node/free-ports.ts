/**
 * TCP ports for members that must know their ports before they start and keep them for life. They
 * lie below the range from which the kernel takes the ports of outgoing connections. Otherwise an
 * outgoing connection could take the port of a member that is down, even one of a peer that dials
 * it.
 */
import { randomInt } from "node:crypto";
import net from "node:net";

const lowest = 12_000;
/** Linux gives outgoing connections ports from here on. */
const above = 32_768;
const attemptsMax = 1_000;
/** A port whose member is down, or not started yet, must not be given away again. */
const handedOut = new Set<number>();

/** True if a server could listen there at this moment. */
export function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = net.createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, host, () => probe.close(() => resolve(true)));
  });
}

/**
 * Finds `count` different free ports, none of `except`, and none that this process was given
 * before. @throws if `host` is no address of this machine
 */
export async function freePorts(
  host: string,
  count: number,
  except: readonly number[] = [],
): Promise<number[]> {
  const ports: number[] = [];
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    if (ports.length === count) return ports;
    const port = randomInt(lowest, above);
    if (ports.includes(port) || except.includes(port)) continue;
    if (handedOut.has(port) || !(await isFree(host, port))) continue;
    handedOut.add(port);
    ports.push(port);
  }
  throw new Error(`found no free port on ${host}`);
}
