/**
 * A whole server in this process: platform, member, gRPC and HTTP. The CLI and the library use it.
 */

import type { RequestListener } from "node:http";
import type { HttpSubject } from "./api/http/http.js";
import { httpHandler, startingHandler, webSocketRefusalOf } from "./api/http/http-handler.js";
import { reflectionMethods } from "./api/reflection/reflection.js";
import { allMethods, builtMethods } from "./api/services.js";
import { statusOf } from "./api/status.js";
import { KvError, StartError } from "./base/errors.js";
import type { Address } from "./config/address.js";
import type { ServerConfig } from "./config/server-config.js";
import { Gateway } from "./gateway/gateway.js";
import { webSockets } from "./gateway/web-socket.js";
import type { Method, Server, Status } from "./grpc/call.js";
import { CallCounters } from "./grpc/call-counters.js";
import { LocalServer } from "./grpc/local/local-server.js";
import { type ServerOptions, startServer } from "./grpc/server.js";
import { tracedMethods } from "./grpc/traced-methods.js";
import type { RunningMember } from "./member/member.js";
import { startMember } from "./member/start.js";
import { rpcMetrics } from "./metrics/rpc-metrics.js";
import { nodeClock } from "./platform/node/clock.js";
import { readJwtKeys } from "./platform/node/credentials/jwt-keys.js";
import { nodeHash } from "./platform/node/hash.js";
import { type Listener, openListener } from "./platform/node/listener.js";
import { createNodePlatform } from "./platform/node/platform.js";
import { processMetrics } from "./platform/node/process-metrics.js";
import { cpuProfile } from "./platform/node/profiler.js";
import { leadToSame } from "./platform/node/same-addresses.js";
import type { KeptCredentials } from "./platform/node/tls/kept-credentials.js";
import { openCredentials } from "./platform/node/tls/open-credentials.js";
import { openOtlp } from "./platform/node/tracing/otlp.js";
import type { Platform } from "./platform/platform.js";
import type { TlsSettings } from "./platform/tls-settings.js";
import type { Tracing } from "./platform/tracing.js";

/** gRPC's own overhead above the largest request, as etcd allows it. */
const receiveOverheadBytes = 512 * 1024;
const graceMs = 500;
/** A stop waits so long for a collector of traces. */
const tracesGraceMs = 1_000;

export interface RunningServer {
  readonly member: RunningMember;
  /** Addresses where clients are served, once `ready`. */
  readonly addresses: () => readonly { readonly host: string; readonly port: number }[];
  /** Resolves when the member serves clients. */
  readonly ready: Promise<void>;
  /** Resolves when the server has stopped, for any reason. */
  readonly stopped: Promise<{ readonly removed: boolean; readonly error: Error | undefined }>;
  stop(): Promise<void>;
}

/**
 * Binds all addresses at once, before the member starts, so that one that is in use is noticed while
 * nothing has happened yet. Addresses of metrics are served from then on (until there is a member, by
 * api/http/starting.ts), those of clients once it is ready.
 *
 * @throws StartError, DamageError, or the system's error
 */
export async function serve(config: ServerConfig, log: Platform["log"]): Promise<RunningServer> {
  const opened: { close(): void }[] = [];
  await refuseOtherUrls(config);
  const tracing = config.tracing && (await openOtlp(config.tracing, log));
  if (tracing !== undefined) opened.push({ close: () => void tracing.close(0) });
  try {
    const listeners = await bindForClients(config, log, opened);
    const pages = servePages(config, listeners.metrics, log);
    opened.push({ close: () => void pages.server.close(0).catch(closingFailed(log)) });
    const { platform, listener } = await createNodePlatform({
      dataDir: config.dataDir,
      walDir: config.walDir,
      listenPeers: config.listenPeers,
      jwt: config.jwt && readJwtKeys(config.jwt),
      peerCredentials: credentialsOf(config.peerTls, config.listenPeers, config, log),
      log,
    });
    opened.push(listener);
    const member = await new Promise<RunningMember>((resolve, reject) => {
      startMember(platform, config.member, (result) => {
        if (result instanceof Error) reject(result);
        else resolve(result);
      });
    });
    return serveMember(config, member, { listeners, pages, tracing }, log);
  } catch (error) {
    for (const each of opened) each.close();
    throw error;
  }
}

/** @throws StartError when --initial-cluster names this member with URLs that it does not advertise */
async function refuseOtherUrls({ urlsToCompare, member }: ServerConfig): Promise<void> {
  if (urlsToCompare === undefined) return;
  const { name, advertisePeerUrls } = member;
  if (await leadToSame(urlsToCompare, advertisePeerUrls)) return;
  throw new StartError(
    `--initial-cluster has ${name}=${urlsToCompare.join(",")} but missing from --initial-advertise-peer-urls=${advertisePeerUrls.join(",")}: the two must name the same addresses`,
  );
}

interface ClientListeners {
  readonly clients: Listener;
  readonly clientHttp: Listener;
  readonly metrics: Listener;
}

async function bindForClients(
  config: ServerConfig,
  log: Platform["log"],
  opened: { close(): void }[],
): Promise<ClientListeners> {
  const { listenClients, listenClientHttp, listenMetrics, clientTls, reusesPort } = config;
  const all = [...listenClients, ...listenClientHttp, ...listenMetrics];
  const credentials = credentialsOf(clientTls, all, config, log);
  const open = async (
    addresses: readonly Address[],
    endpoint: "client" | "metrics",
    alpn: readonly string[],
  ): Promise<Listener> => {
    const { now } = nodeClock;
    const common = { credentials, reusesPort, now, log, allowsHalfOpen: true };
    const listener = await openListener({ ...common, addresses, endpoint, alpn });
    opened.push(listener);
    return listener;
  };
  return {
    clients: await open(listenClients, "client", ["h2", "http/1.1"]),
    clientHttp: await open(listenClientHttp, "client", ["h2", "http/1.1"]),
    metrics: await open(listenMetrics, "metrics", ["h2", "http/1.1"]),
  };
}

function credentialsOf(
  settings: TlsSettings,
  addresses: readonly Address[],
  { dataDir }: ServerConfig,
  log: Platform["log"],
): KeptCredentials | undefined {
  const hosts = addresses.flatMap((address) => ("host" in address ? [address.host] : []));
  return openCredentials({ settings, unixMs: nodeClock.unixMs, log }, { dataDir, hosts });
}

function closingFailed(log: Platform["log"]): (error: Error) => void {
  return ({ message }) => log("error", "closing a server failed", { error: message });
}

/** HTTP alone on the addresses of metrics. */
interface MetricsPages {
  readonly server: Server;
  /** The member exists: these are its pages. */
  replace(http: RequestListener, onError: (error: unknown) => Status): void;
}

interface ServerParts {
  readonly listeners: ClientListeners;
  readonly pages: MetricsPages;
  readonly tracing: Tracing | undefined;
}

function servePages(config: ServerConfig, listener: Listener, log: Platform["log"]): MetricsPages {
  let http = startingHandler(config);
  let onError = (error: unknown): Status => {
    log("error", "a request failed", { error: String((error as Error)?.stack ?? error) });
    return statusOf(new KvError("internal"));
  };
  const server = startServer({
    ...{ listener, methods: [], clock: nodeClock, log },
    http: (request, response) => http(request, response),
    onError: (error) => onError(error),
    maxReceiveBytes: config.member.limits.requestBytesMax + receiveOverheadBytes,
  });
  return {
    server,
    replace: (later, laterOnError) => {
      http = later;
      onError = laterOnError;
    },
  };
}

function serveMember(
  config: ServerConfig,
  member: RunningMember,
  parts: ServerParts,
  log: Platform["log"],
): RunningServer {
  const { listeners } = parts;
  const servers = new MemberServers(config, member, parts, log);
  const stopped = new Promise<{ removed: boolean; error: Error | undefined }>((resolve) => {
    member.onStopped((cause) => {
      // The member answers no new requests; earlier answers may still be on their way.
      servers.cut();
      servers.close(graceMs).then(
        () => resolve(cause),
        (error: Error) => resolve({ ...cause, error: cause.error ?? error }),
      );
    });
  });
  const ready = new Promise<void>((resolve) => {
    member.onReady(() => {
      servers.serveClients();
      resolve();
    });
  });
  return {
    member,
    addresses: () => listeners.clients.addresses,
    ready,
    stopped,
    stop: async () => {
      member.stop(() => {});
      await stopped;
    },
  };
}

/** gRPC and HTTP on the addresses of clients, HTTP alone on those of metrics. */
class MemberServers {
  readonly #config: ServerConfig;
  readonly #member: RunningMember;
  readonly #listeners: ClientListeners;
  readonly #tracing: Tracing | undefined;
  readonly #counters = new CallCounters();
  readonly #common: Omit<ServerOptions, "listener" | "methods" | "onError"> & {
    readonly onError: (error: unknown) => Status;
  };
  readonly #subject: HttpSubject;
  readonly #servers: Server[] = [];
  #isClosed = false;

  constructor(
    config: ServerConfig,
    member: RunningMember,
    { listeners, pages, tracing }: ServerParts,
    log: Platform["log"],
  ) {
    this.#config = config;
    this.#member = member;
    this.#listeners = listeners;
    this.#tracing = tracing;
    const moreMetrics = () => [...rpcMetrics(this.#counters.all()), ...processMetrics()];
    const profiles = config.hasProfiles ? { takeProfile: cpuProfile } : {};
    const vars = () => ({ cmdline: process.argv, memstats: process.memoryUsage() });
    this.#subject = { member, moreMetrics, vars, ...profiles };
    this.#common = {
      http: httpHandler(this.#subject, config),
      onError: (error) => statusOf(member.requestFailed(error)),
      maxReceiveBytes: member.limits.requestBytesMax + receiveOverheadBytes,
      clock: nodeClock,
      log,
    };
    pages.replace(this.#common.http, this.#common.onError);
    this.#servers.push(pages.server);
  }

  serveClients(): void {
    // The member may have stopped before it was ready.
    if (this.#isClosed) return;
    const { clients, clientHttp } = this.#listeners;
    const { concurrentStreamsMax, keepalive } = this.#config.clientConnections;
    const common = { ...this.#common, limits: { concurrentStreamsMax }, keepalive };
    const own = allMethods(this.#member, nodeHash);
    const all = [...own, ...builtMethods(this.#member, own, nodeClock)];
    if (this.#config.hasReflection) all.push(...reflectionMethods(this.#member, all));
    const methods = this.#tracing === undefined ? all : tracedMethods(all, this.#tracing);
    const pages = this.#config.hasJsonGateway ? this.#pagesWithJson(methods) : common;
    const isApart = this.#config.listenClientHttp.length > 0;
    const forClients = isApart ? { http: notFound } : pages;
    this.#servers.push(
      startServer({
        ...{ ...common, ...forClients, methods },
        listener: clients,
        counters: this.#counters,
      }),
      startServer({ ...common, ...pages, listener: clientHttp, methods: [] }),
    );
  }

  #pagesWithJson(methods: readonly Method[]): Pick<ServerOptions, "http" | "upgrade"> {
    const { log, maxReceiveBytes, onError } = this.#common;
    const gateway = new Gateway({
      server: new LocalServer({ methods, counters: this.#counters, clock: nodeClock, onError }),
      clock: nodeClock,
      requestBytesMax: maxReceiveBytes,
    });
    return {
      http: httpHandler(this.#subject, this.#config, gateway),
      upgrade: webSockets(
        gateway,
        (request) => webSocketRefusalOf(request, this.#config, this.#member),
        ({ reason, heldBack, request: { socket, url } }) =>
          log("warn", "ended a WebSocket", {
            "remote-addr": `${socket.remoteAddress ?? ""}:${socket.remotePort ?? ""}`,
            ...{ path: url, reason },
            ...(heldBack === 0 ? {} : { "more-since-last-time": heldBack }),
          }),
      ),
    };
  }

  cut(): void {
    for (const server of this.#servers) server.cut();
  }

  async close(graceMs: number): Promise<void> {
    this.#isClosed = true;
    for (const listener of Object.values(this.#listeners) as Listener[]) listener.close();
    await Promise.all(this.#servers.map((server) => server.close(graceMs)));
    await this.#tracing?.close(tracesGraceMs);
  }
}

/** With --listen-client-http-urls the other addresses are for gRPC alone. */
const notFound: RequestListener = (request, response) => {
  request.resume();
  response.writeHead(404).end();
};
