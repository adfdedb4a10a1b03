/** Listeners on free ports of the loopback address, for tests of servers. */
import { nodeClock } from "../platform/node/clock.js";
import { type Listener, openListener } from "../platform/node/listener.js";
import type { KeptCredentials } from "../platform/node/tls/kept-credentials.js";

/** @param count how many ports */
export function testListener(count = 1, credentials?: KeptCredentials): Promise<Listener> {
  const address = { host: "127.0.0.1", port: 0, isTls: credentials !== undefined };
  return openListener({
    addresses: Array(count).fill(address),
    credentials,
    alpn: ["h2", "http/1.1"],
    allowsHalfOpen: true,
    endpoint: "client",
    reusesPort: false,
    now: nodeClock.now,
    log: () => {},
  });
}
