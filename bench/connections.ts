/**
 * What connections cost: memory of a server with many idle HTTP/2 connections, and with many
 * watchers on one stream. Options: --connections <n>, --watchers <n>, --servers etcd35,lockstep.
 */
import { connect, type Socket } from "node:net";
import { parseArgs } from "node:util";
import { complete } from "../src/cli/ctl/method.js";
import { WatchCreateRequest } from "../src/wire/gen/rpc.js";
import { bytes, type EtcdClient } from "../test/support/client.js";
import { Cluster } from "../test/support/cluster.js";
import type { ServerKind } from "../test/support/server-kind.js";
import { describeMachine } from "./record/machine.js";

const { values } = parseArgs({
  options: {
    connections: { type: "string", default: "10000" },
    watchers: { type: "string", default: "10000" },
    servers: { type: "string", default: "etcd35,lockstep" },
  },
});
/** The preface of a connection, and an empty SETTINGS frame. */
const hello = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", "latin1");

/** Resolves when the server has sent its SETTINGS. */
function openIdle(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(hello));
    socket.once("data", () => resolve(socket));
    socket.once("error", reject);
  });
}

async function openWatchers(client: EtcdClient, count: number): Promise<() => void> {
  const stream = client.watchStream();
  stream.on("error", () => {});
  let created = 0;
  await new Promise<void>((resolve) => {
    stream.on("data", () => {
      if (++created === count) resolve();
    });
    for (let at = 0; at < count; at++) {
      const value = complete(WatchCreateRequest, { key: bytes(`watched/${at}`) });
      stream.write({ request_union: { $case: "create_request", value } });
    }
  });
  return () => stream.cancel();
}

const mebibytes = (of: number): string => (of / (1 << 20)).toFixed(0);

async function measure(kind: ServerKind): Promise<void> {
  const cluster = await Cluster.start({ kind });
  const { client, process, plan } = cluster.first;
  await client.put({ key: bytes("a"), value: bytes("b") });
  const memory = (): number => process.memory().anonBytes;
  const before = memory();
  const sockets: Socket[] = [];
  for (let at = 0; at < Number(values.connections); at++) {
    sockets.push(await openIdle(plan.clientPort));
  }
  const withConnections = memory();
  await client.put({ key: bytes("a"), value: bytes("b") });
  const stop = await openWatchers(client, Number(values.watchers));
  const withWatchers = memory();
  const cells = [before, withConnections, withWatchers].map(mebibytes).join(" | ");
  console.log(`| ${kind} | ${cells} |`);
  stop();
  for (const socket of sockets) socket.destroy();
  await cluster.dispose();
}

console.log(describeMachine());
const idle = `with ${values.connections} idle connections`;
console.log(`\n| server, MiB | at first | ${idle} | and ${values.watchers} watchers |`);
console.log("|---|---|---|---|");
for (const kind of values.servers.split(",") as ServerKind[]) await measure(kind);
