/**
 * Makes a checked configuration from the given texts. Every mistake is an error that says what to
 * change. Nothing is guessed.
 */

import { defaultMemberConfig, type MemberConfig } from "../member/config.js";
import type { TlsSettings } from "../platform/tls-settings.js";
import type { Address } from "./address.js";
import { authOf, type JwtOptions } from "./auth-token.js";
import { autoCompactionOf } from "./auto-compaction.js";
import { type ClusterConfig, clusterOf, clusterOfRestart } from "./cluster-config.js";
import { etcdChecksOf } from "./feature-gates.js";
import { flags, UsageError } from "./flags.js";
import { clientTlsOf, peerTlsOf } from "./tls-config.js";
import { type TracingConfig, tracingOf } from "./tracing-config.js";
import { Values } from "./values.js";

export interface ServerConfig {
  readonly dataDir: string;
  /** Folder of the log; "": "wal" in `dataDir`. */
  readonly walDir: string;
  readonly listenPeers: readonly Address[];
  readonly listenClients: readonly Address[];
  /** Addresses for clients that speak HTTP only; if there are any, `listenClients` are for gRPC. */
  readonly listenClientHttp: readonly Address[];
  /** Addresses that serve health and metrics only; often empty. */
  readonly listenMetrics: readonly Address[];
  /** TLS for the addresses of clients and of metrics. */
  readonly clientTls: TlsSettings;
  readonly peerTls: TlsSettings;
  readonly reusesPort: boolean;
  /** Serves CPU profiles to clients. */
  readonly hasProfiles: boolean;
  /**
   * The DNS names that list the founding members, before there is data. `member` then names none.
   */
  readonly discovery: { readonly domain: string; readonly suffix: string } | undefined;
  /** The addresses for HTTP also take JSON requests. */
  readonly hasJsonGateway: boolean;
  /** Tells gRPC's tools the services and messages of this server. */
  readonly hasReflection: boolean;
  /** Of browsers; "*": any. */
  readonly allowedOrigins: readonly string[];
  /** Host names in requests without TLS; "*": any. */
  readonly allowedHosts: readonly string[];
  /** What a client's connection may do, and when it counts as dead. */
  readonly clientConnections: {
    readonly concurrentStreamsMax: number;
    /** Milliseconds; Infinity: never. */
    readonly keepalive: {
      readonly minTimeMs: number;
      readonly intervalMs: number;
      readonly timeoutMs: number;
    };
  };
  readonly logLevel: "debug" | "info" | "warn" | "error";
  readonly logFormat: "json" | "console";
  /** stderr, stdout or file paths; at least one. */
  readonly logOutputs: readonly string[];
  /** Undefined: no traces are sent. */
  readonly tracing: TracingConfig | undefined;
  /** Undefined: simple tokens. */
  readonly jwt: JwtOptions | undefined;
  readonly member: MemberConfig;
  /** This member's URLs in --initial-cluster, when it advertises others (cluster-config.ts). */
  readonly urlsToCompare: readonly string[] | undefined;
  /** Flags that were given and change nothing: their names, and why. */
  readonly withoutEffect: readonly (readonly [name: string, why: string])[];
}

export interface Surroundings {
  /** Where a value came from, for errors. Absent: "flag -name". */
  readonly sourceOf?: (name: string) => string;
  /**
   * True if the folder holds a member's data. Then, as in etcd, the flags that found a cluster have
   * no effect.
   */
  readonly hasData?: (dataDir: string, walDir: string) => boolean;
}

const defaultQuotaBytes = 2 * 1024 * 1024 * 1024;
const electionMsMax = 50_000;

/** Bytes; 0: no quota. */
function quotaOf(flag: number): number {
  return flag === 0 ? defaultQuotaBytes : Math.max(0, flag);
}

function foundingOf(values: Values) {
  return {
    initialClusterState: values.choice("initial-cluster-state", ["new", "existing"]),
    forcesNewCluster: values.boolean("force-new-cluster"),
  };
}

/** @throws UsageError */
function periodsOf(values: Values): Pick<MemberConfig, "heartbeatMs" | "electionMs"> {
  const heartbeatMs = values.positive("heartbeat-interval");
  const electionMs = values.positive("election-timeout");
  if (electionMs < 5 * heartbeatMs) {
    throw new UsageError(
      `--election-timeout[${electionMs}ms] should be at least as 5 times as --heartbeat-interval[${heartbeatMs}ms]`,
    );
  }
  if (electionMs > electionMsMax) {
    throw new UsageError(
      `--election-timeout[${electionMs}ms] is too long, and should be set less than ${electionMsMax}ms`,
    );
  }
  return { heartbeatMs, electionMs };
}

/** `given` by flag name. @throws UsageError */
export function resolveConfig(
  given: ReadonlyMap<string, string>,
  surroundings: Surroundings = {},
): ServerConfig {
  const { sourceOf = (name) => `flag -${name}`, hasData = () => false } = surroundings;
  const values = new Values(given, sourceOf);
  const withoutEffect = judge(values, given);
  const name = values.text("name");
  const dataDir = values.text("data-dir") || `${name}.etcd`;
  const walDir = values.text("wal-dir");
  const advertisePeerUrls = values.urls("initial-advertise-peer-urls");
  const isFirstStart = !hasData(dataDir, walDir);
  const discovery = isFirstStart ? discoveryOf(values) : undefined;
  const isNamed = isFirstStart && discovery === undefined;
  const cluster: ClusterConfig = isNamed
    ? clusterOf(values, name, advertisePeerUrls)
    : clusterOfRestart(values);
  values.choice("metrics", ["basic", "extensive"]);
  values.choice("logger", ["zap"]);
  const { auth, jwt } = authOf(values);
  return {
    ...{ dataDir, walDir, jwt },
    ...listenersOf(values),
    tracing: tracingOf(values),
    hasProfiles: values.boolean("enable-pprof"),
    discovery,
    allowedOrigins: values.list("cors"),
    allowedHosts: values.list("host-whitelist"),
    hasReflection: values.boolean("enable-grpc-reflection"),
    hasJsonGateway: values.boolean("enable-grpc-gateway"),
    clientConnections: connectionsOf(values),
    logLevel: logLevelOf(values),
    logFormat: values.choice("log-format", ["json", "console"]),
    logOutputs: values.logOutputs(),
    member: {
      ...defaultMemberConfig,
      name,
      initialCluster: cluster.members,
      ...foundingOf(values),
      initialClusterToken: values.text("initial-cluster-token"),
      advertisePeerUrls,
      advertiseClientUrls: values.urls("advertise-client-urls"),
      ...periodsOf(values),
      preVote: values.boolean("pre-vote"),
      strictReconfigCheck: values.boolean("strict-reconfig-check"),
      learnersMax: values.positive("max-learners"),
      snapshotCount: values.positive("snapshot-count"),
      snapshotCatchupEntries: values.positive("snapshot-catchup-entries"),
      backendBatchMs: values.duration("backend-batch-interval"),
      backendBatchLimit: values.positive("backend-batch-limit"),
      compactionBatchLimit: values.positive("compaction-batch-limit"),
      compactionSleepMs: values.duration("compaction-sleep-interval"),
      scrubIntervalMs: values.duration("scrub-interval"),
      scrubBytesPerSecond: values.positive("scrub-rate"),
      corruptScope: values.choice("corrupt-scope", ["member", "cluster"]),
      nospaceEnd: values.choice("nospace-end", ["automatic", "manual"]),
      ...{ etcdChecks: etcdChecksOf(values), autoCompaction: autoCompactionOf(values) },
      auth,
      limits: {
        requestBytesMax: values.positive("max-request-bytes"),
        txnOpsMax: values.positive("max-txn-ops"),
        quotaBytes: quotaOf(values.integer("quota-backend-bytes")),
        progressNotifyMs: Math.max(100, values.duration("watch-progress-notify-interval")),
      },
    },
    urlsToCompare: cluster.toCompare,
    withoutEffect,
  };
}

/**
 * Refuses what this build cannot do; gives the flags that change nothing.
 *
 * @throws UsageError
 */
function judge(values: Values, given: ReadonlyMap<string, string>): ServerConfig["withoutEffect"] {
  const without: (readonly [string, string])[] = [];
  for (const { name, kind, initial, help, verdict } of flags) {
    if (verdict === undefined || !given.has(name)) continue;
    const isInitial =
      kind === "boolean"
        ? values.boolean(name) === (initial === "true")
        : [initial, ""].includes(values.text(name));
    if (isInitial) continue;
    if (verdict === "refused") throw values.invalid(name, help);
    without.push([name, help]);
  }
  return without;
}

/** @throws UsageError */
function discoveryOf(values: Values): ServerConfig["discovery"] {
  if (!values.has("discovery-srv")) return undefined;
  if (values.has("initial-cluster")) {
    throw new UsageError(
      "--initial-cluster and --discovery-srv both name the founding members: give one of them",
    );
  }
  return { domain: values.text("discovery-srv"), suffix: values.text("discovery-srv-name") };
}

type Listeners = Pick<
  ServerConfig,
  | "listenPeers"
  | "listenClients"
  | "listenClientHttp"
  | "listenMetrics"
  | "clientTls"
  | "peerTls"
  | "reusesPort"
>;

function listenersOf(values: Values): Listeners {
  const listenPeers = values.addresses("listen-peer-urls");
  const listenClients = values.addresses("listen-client-urls");
  const listenClientHttp = values.addresses("listen-client-http-urls");
  const listenMetrics = values.addresses("listen-metrics-urls");
  for (const name of ["listen-peer-urls", "listen-client-urls"] as const) {
    if (values.urls(name).length === 0) throw values.invalid(name, "at least one URL is needed");
  }
  return {
    ...{ listenPeers, listenClients, listenClientHttp, listenMetrics },
    clientTls: clientTlsOf(values, [...listenClients, ...listenClientHttp], listenMetrics),
    peerTls: peerTlsOf(values, listenPeers),
    reusesPort: values.boolean("socket-reuse-port"),
  };
}

function logLevelOf(values: Values): ServerConfig["logLevel"] {
  const level = values.choice("log-level", ["debug", "info", "warn", "error", "panic", "fatal"]);
  if (values.boolean("debug")) return "debug";
  return level === "panic" || level === "fatal" ? "error" : level;
}

function connectionsOf(values: Values): ServerConfig["clientConnections"] {
  const orNever = (durationMs: number): number => (durationMs > 0 ? durationMs : Infinity);
  return {
    // etcd takes any number of 32 bits, and its default is the largest.
    concurrentStreamsMax: Math.min(values.positive("max-concurrent-streams"), 2 ** 32 - 1),
    keepalive: {
      minTimeMs: values.duration("grpc-keepalive-min-time"),
      intervalMs: orNever(values.duration("grpc-keepalive-interval")),
      timeoutMs: orNever(values.duration("grpc-keepalive-timeout")),
    },
  };
}
