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
import { resolveConfig } from "./config/server-config.js";
import { type RunningServer, serve } from "./embed.js";
import { holdsMember } from "./platform/node/data-dir.js";
import { freePorts } from "./platform/node/free-ports.js";

export { DamageError, StartError } from "./base/errors.js";

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

/** Resolves when the member serves clients. @throws StartError, DamageError, UsageError, system errors */
export async function startMember(options: MemberOptions): Promise<EmbeddedMember> {
  const host = options.host ?? "127.0.0.1";
  const name = options.name ?? "default";
  const [onePort, otherPort] = (await freePorts(host, 2)) as [number, number];
  const peerPort = options.peerPort || onePort;
  const clientPort = options.clientPort || otherPort;
  const peerUrl = options.initialCluster?.[name] ?? `http://${host}:${peerPort}`;
  const clientUrl = `http://${host}:${clientPort}`;
  const members = Object.entries(options.initialCluster ?? { [name]: peerUrl });
  const config = resolveConfig(
    new Map([
      ["name", name],
      ["data-dir", options.dataDir],
      ["listen-client-urls", clientUrl],
      ["advertise-client-urls", clientUrl],
      ["listen-peer-urls", peerUrl],
      ["initial-advertise-peer-urls", peerUrl],
      ["initial-cluster", members.map((member) => member.join("=")).join(",")],
      ...Object.entries(options.flags ?? {}),
    ]),
    { hasData: holdsMember },
  );
  const server = await serve(config, options.log ?? (() => {}));
  try {
    await server.ready;
  } catch (error) {
    await server.stop();
    throw error;
  }
  return embedded(name, `${host}:${clientPort}`, server);
}

/**
 * A whole cluster in this process. The first start chooses the ports and keeps them beside the
 * data, because the members' peer addresses are part of the data.
 */
export async function startCluster(options: ClusterOptions): Promise<EmbeddedCluster> {
  const names = Array.from({ length: options.members ?? 3 }, (_, place) => `m${place + 1}`);
  const ports = await keptPorts(options.dataDir, names);
  const initialCluster: Record<string, string> = {};
  for (const [name, { peer }] of Object.entries(ports)) {
    initialCluster[name] = `http://127.0.0.1:${peer}`;
  }
  const { flags, log } = options;
  const starts = await Promise.allSettled(
    names.map((name) =>
      startMember({
        dataDir: path.join(options.dataDir, name),
        name,
        initialCluster,
        clientPort: (ports[name] as Ports).client,
        ...(flags === undefined ? {} : { flags }),
        ...(log === undefined ? {} : { log }),
      }),
    ),
  );
  const members = starts.flatMap((start) => (start.status === "fulfilled" ? [start.value] : []));
  const failed = starts.find((start) => start.status === "rejected");
  if (failed !== undefined) {
    await Promise.all(members.map((member) => member.stop()));
    throw failed.reason;
  }
  return {
    members,
    endpoints: members.map((member) => member.endpoint),
    stop: async () => {
      await Promise.all(members.map((member) => member.stop()));
    },
  };
}

function embedded(name: string, endpoint: string, server: RunningServer): EmbeddedMember {
  return { name, endpoint, stopped: server.stopped, stop: () => server.stop() };
}

interface Ports {
  readonly client: number;
  readonly peer: number;
}

async function keptPorts(
  dataDir: string,
  names: readonly string[],
): Promise<Readonly<Record<string, Ports>>> {
  const file = path.join(dataDir, "ports.json");
  if (fs.existsSync(file)) return JSON.parse(fs.readFileSync(file, "utf8"));
  const free = await freePorts("127.0.0.1", 2 * names.length);
  const ports: Record<string, Ports> = {};
  for (const [at, name] of names.entries()) {
    ports[name] = { client: free[2 * at] as number, peer: free[2 * at + 1] as number };
  }
  fs.mkdirSync(dataDir, { recursive: true });
  fs.writeFileSync(file, `${JSON.stringify(ports, null, 2)}\n`);
  return ports;
}
