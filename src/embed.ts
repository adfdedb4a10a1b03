/**
 * A whole server in this process: platform, member, gRPC and HTTP. The CLI and the library use it.
 */

import { httpHandler } from "./api/http/http-handler.js";
import { allMethods } from "./api/services.js";
import { statusOf } from "./api/status.js";
import type { ServerConfig } from "./config/server-config.js";
import type { Server } from "./grpc/call.js";
import { CallCounters } from "./grpc/call-counters.js";
import { startServer } from "./grpc/server.js";
import type { RunningMember } from "./member/member.js";
import { startMember } from "./member/start.js";
import { rpcMetrics } from "./metrics/rpc-metrics.js";
import { nodeClock } from "./platform/node/clock.js";
import { nodeHash } from "./platform/node/hash.js";
import { createNodePlatform } from "./platform/node/platform.js";
import { processMetrics } from "./platform/node/process-metrics.js";
import type { Platform } from "./platform/platform.js";

/** gRPC's own overhead above the largest request, as etcd allows it. */
const receiveOverheadBytes = 512 * 1024;
const graceMs = 500;

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

/** @throws StartError, DamageError, or the system's error */
export async function serve(config: ServerConfig, log: Platform["log"]): Promise<RunningServer> {
  const { platform, listener } = await createNodePlatform({
    dataDir: config.dataDir,
    listenPeers: config.listenPeers,
    log,
  });
  const member = await new Promise<RunningMember>((resolve, reject) => {
    startMember(platform, config.member, (result) => {
      if (result instanceof Error) reject(result);
      else resolve(result);
    });
  }).catch((error: unknown) => {
    listener.close();
    throw error;
  });
  let server: Server | undefined;
  let isStopped = false;
  const stopped = new Promise<{ removed: boolean; error: Error | undefined }>((resolve) => {
    member.onStopped((cause) => {
      // The member answers no new requests; earlier answers may still be on their way.
      isStopped = true;
      server?.cut();
      (server?.close(graceMs) ?? Promise.resolve()).then(
        () => resolve(cause),
        (error: Error) => resolve({ ...cause, error: cause.error ?? error }),
      );
    });
  });
  const ready = new Promise<void>((resolve) => member.onReady(resolve)).then(async () => {
    const listening = await listenForClients(config, member, log);
    // The member may have stopped while the addresses were bound.
    if (isStopped) await listening.close(0);
    else server = listening;
  });
  ready.catch(() => {});
  return {
    member,
    addresses: () => server?.addresses ?? [],
    ready,
    stopped,
    stop: async () => {
      member.stop(() => {});
      await stopped;
    },
  };
}

/**
 * gRPC and HTTP on the client addresses, HTTP alone on the metrics addresses. Binds all of them or
 * none.
 */
async function listenForClients(
  config: ServerConfig,
  member: RunningMember,
  log: Platform["log"],
): Promise<Server> {
  const counters = new CallCounters();
  const common = {
    http: httpHandler({
      member,
      moreMetrics: () => [...rpcMetrics(counters.all()), ...processMetrics()],
    }),
    onError: (error: unknown) => statusOf(member.requestFailed(error)),
    maxReceiveBytes: member.limits.requestBytesMax + receiveOverheadBytes,
    clock: nodeClock,
    log,
  };
  const metrics = await startServer({ ...common, listen: config.listenMetrics, methods: [] });
  try {
    const clients = await startServer({
      ...common,
      listen: config.listenClients,
      methods: allMethods(member, nodeHash),
      counters,
      limits: { concurrentStreamsMax: config.clientConnections.concurrentStreamsMax },
      keepalive: config.clientConnections.keepalive,
    });
    return {
      addresses: clients.addresses,
      cut: () => clients.cut(),
      close: async (graceMs) => {
        await Promise.all([clients.close(graceMs), metrics.close(graceMs)]);
      },
    };
  } catch (error) {
    await metrics.close(0);
    throw error;
  }
}
