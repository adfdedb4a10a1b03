/**
 * Lockstep in your own Node process: the same members that `lockstep server` runs, on real sockets
 * and folders, so that any etcd client reaches them.
 *
 * @example
 * const cluster = await startCluster({ dataDir: "data", members: 3 });
 * // point any etcd v3 client at cluster.endpoints
 * await cluster.stop();
 */
import fs from "node:fs";
import path from "node:path";
import { StartError } from "./base/errors.js";
import { findFlag, UsageError, unknownFlag } from "./config/flags.js";
import { resolveConfig } from "./config/server-config.js";
import { type RunningServer, serve } from "./embed.js";
import { holdsMember } from "./platform/node/data-dir.js";
import { freePorts } from "./platform/node/free-ports.js";

export { DamageError, StartError } from "./base/errors.js";
export { UsageError } from "./config/flags.js";

export type LogListener = (
  level: "debug" | "info" | "warn" | "error",
  message: string,
  fields?: Readonly<Record<string, unknown>>,
) => void;

export interface MemberOptions {
  /** Folder of this member's data; created if missing. */
  readonly dataDir: string;
  readonly name?: string;
  /** Port 0 or absent: any free one. */
  readonly clientPort?: number;
  readonly peerPort?: number;
  /** "127.0.0.1" if absent. */
  readonly host?: string;
  /** All founding members, this one included: name -> peer URL. Absent: this member alone. */
  readonly initialCluster?: Readonly<Record<string, string>>;
  /** Any other flag of `lockstep server`, without dashes: { "snapshot-count": "1000" }. */
  readonly flags?: Readonly<Record<string, string>>;
  /** Gets the log lines. Absent: no log. */
  readonly log?: LogListener;
}

export interface EmbeddedMember {
  readonly name: string;
  /** host:port for etcd clients. */
  readonly endpoint: string;
  /** Resolves when it has stopped; `error` when the disk failed or a bug was found. */
  readonly stopped: Promise<{ readonly removed: boolean; readonly error: Error | undefined }>;
  /** Hands leadership over, flushes, closes. */
  stop(): Promise<void>;
}

export interface ClusterOptions {
  /** Each member has a folder of its own in here. */
  readonly dataDir: string;
  /** 3 if absent. */
  readonly members?: number;
  readonly flags?: Readonly<Record<string, string>>;
  readonly log?: LogListener;
}

export interface EmbeddedCluster {
  readonly members: readonly EmbeddedMember[];
  readonly endpoints: readonly string[];
  stop(): Promise<void>;
}

/**
 * Resolves when the member serves clients.
 *
 * @throws UsageError for options that make no sense, StartError, DamageError, system errors; then
 * nothing is left running
 */
export async function startMember(options: MemberOptions): Promise<EmbeddedMember> {
  const launched = await launch(options);
  try {
    await readyOrStopped(launched.server);
  } catch (error) {
    await launched.server.stop();
    throw error;
  }
  return launched.member;
}

/**
 * A whole cluster in this process. The first start chooses the ports and keeps them beside the
 * data, because the members' peer addresses are part of the data. Later starts need not say how many
 * members there are.
 *
 * @throws as startMember; then no member is left running
 */
export async function startCluster(options: ClusterOptions): Promise<EmbeddedCluster> {
  checkKeys("startCluster", options, ["dataDir", "members", "flags", "log"]);
  checkFolder("startCluster", options.dataDir);
  const ports = await keptPorts(options.dataDir, options.members);
  const initialCluster: Record<string, string> = {};
  for (const [name, { peer }] of Object.entries(ports)) {
    initialCluster[name] = `http://127.0.0.1:${peer}`;
  }
  const { flags, log } = options;
  const launches = await Promise.allSettled(
    Object.entries(ports).map(([name, { client }]) =>
      launch({
        dataDir: path.join(options.dataDir, name),
        name,
        initialCluster,
        clientPort: client,
        ...(flags === undefined ? {} : { flags }),
        ...(log === undefined ? {} : { log }),
      }),
    ),
  );
  const running = launches.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const stop = async (): Promise<void> => {
    await Promise.all(running.map(({ server }) => server.stop()));
  };
  try {
    // One that cannot start keeps the others from a quorum: nobody waits for them then.
    for (const one of launches) if (one.status === "rejected") throw one.reason;
    await Promise.all(running.map(({ server }) => readyOrStopped(server)));
  } catch (error) {
    await stop();
    throw error;
  }
  const members = running.map(({ member }) => member);
  return { members, endpoints: members.map((member) => member.endpoint), stop };
}

interface Launched {
  readonly server: RunningServer;
  readonly member: EmbeddedMember;
}

/** The member runs, and is not ready yet. */
async function launch(options: MemberOptions): Promise<Launched> {
  const known = ["dataDir", "name", "clientPort", "peerPort", "host", "initialCluster", "flags"];
  checkKeys("startMember", options, [...known, "log"]);
  checkFolder("startMember", options.dataDir);
  const host = options.host ?? "127.0.0.1";
  const name = options.name ?? "default";
  const [onePort, otherPort] = (await freePorts(host, 2)) as [number, number];
  const peerPort = options.peerPort || onePort;
  const clientPort = options.clientPort || otherPort;
  const peerUrl = options.initialCluster?.[name] ?? `http://${host}:${peerPort}`;
  const clientUrl = `http://${host}:${clientPort}`;
  const members = Object.entries(options.initialCluster ?? { [name]: peerUrl });
  const values = new Map([
    ["name", name],
    ["data-dir", options.dataDir],
    ["listen-client-urls", clientUrl],
    ["advertise-client-urls", clientUrl],
    ["listen-peer-urls", peerUrl],
    ["initial-advertise-peer-urls", peerUrl],
    ["initial-cluster", members.map((member) => member.join("=")).join(",")],
    ...knownFlags(options.flags ?? {}),
  ]);
  const config = resolveConfig(values, { hasData: holdsMember });
  const server = await serve(config, options.log ?? (() => {}));
  const endpoint = `${host}:${clientPort}`;
  const member = { name, endpoint, stopped: server.stopped, stop: () => server.stop() };
  return { server, member };
}

async function readyOrStopped(server: RunningServer): Promise<void> {
  const early = server.stopped.then(({ error }) => {
    throw error ?? new StartError("the member was stopped before it was ready");
  });
  await Promise.race([server.ready, early]);
  // Later it is nobody's concern here.
  early.catch(() => {});
}

/** @throws UsageError */
function knownFlags(given: Readonly<Record<string, string>>): [name: string, value: string][] {
  return Object.entries(given).map(([name, value]) => {
    const flag = findFlag(name.replace(/^--?/, ""));
    if (flag === undefined) throw new UsageError(`flags: ${unknownFlag(name)}`);
    return [flag.name, String(value)];
  });
}

/** @throws UsageError */
function checkKeys(what: string, options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).filter((key) => !known.includes(key));
  if (unknown.length === 0) return;
  throw new UsageError(`${what} has no option "${unknown[0]}"; there are ${known.join(", ")}`);
}

/** @throws UsageError */
function checkFolder(what: string, dataDir: unknown): void {
  if (typeof dataDir === "string" && dataDir !== "") return;
  throw new UsageError(`${what} needs "dataDir", the path of a folder`);
}

interface Ports {
  readonly client: number;
  readonly peer: number;
}

/** By name of the member. @throws UsageError when `count` is none, or another cluster is there */
async function keptPorts(
  dataDir: string,
  count: number | undefined,
): Promise<Readonly<Record<string, Ports>>> {
  if (count !== undefined && !(Number.isInteger(count) && count >= 1)) {
    throw new UsageError(`"members" is how many there are, 1 or more, but got: ${count}`);
  }
  const file = path.join(dataDir, "ports.json");
  if (fs.existsSync(file)) {
    const kept = readPorts(file);
    const names = Object.keys(kept);
    if (count === undefined || count === names.length) return kept;
    throw new UsageError(
      `"${dataDir}" holds a cluster of ${names.length} (${names.join(", ")}), not of ${count}: leave "members" out, or choose another "dataDir"`,
    );
  }
  const names = Array.from({ length: count ?? 3 }, (_, place) => `m${place + 1}`);
  const free = await freePorts("127.0.0.1", 2 * names.length);
  const ports: Record<string, Ports> = {};
  for (const [at, name] of names.entries()) {
    ports[name] = { client: free[2 * at] as number, peer: free[2 * at + 1] as number };
  }
  fs.mkdirSync(dataDir, { recursive: true });
  fs.writeFileSync(file, `${JSON.stringify(ports, null, 2)}\n`);
  return ports;
}

/** @throws UsageError */
function readPorts(file: string): Readonly<Record<string, Ports>> {
  const isPort = (port: unknown): boolean => Number.isInteger(port);
  try {
    const kept = JSON.parse(fs.readFileSync(file, "utf8")) as Record<string, Ports>;
    const all = Object.values(kept);
    if (all.length > 0 && all.every(({ client, peer }) => isPort(client) && isPort(peer))) {
      return kept;
    }
  } catch {
    // Told below.
  }
  throw new UsageError(
    `"${file}" does not hold the members' ports any more: put it back, for the data knows them`,
  );
}
