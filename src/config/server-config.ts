/**
 * Makes a checked configuration of the given texts. Every mistake is an error that says what to
 * change; the code guesses nothing.
 */
import { parse as parseYaml } from "yaml";
import { defaultMemberConfig, type MemberConfig } from "../member/config.js";
import { type Flag, findFlag, flags, UsageError, unknownFlag } from "./flags.js";

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface ServerConfig {
  readonly dataDir: string;
  readonly listenPeers: readonly Address[];
  readonly listenClients: readonly Address[];
  /** Addresses that serve HTTP only; often empty. */
  readonly listenMetrics: readonly Address[];
  /** What a client's connection may do, and when it is taken for dead. */
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
  /** stderr, stdout or file paths; at least one. */
  readonly logOutputs: readonly string[];
  readonly member: MemberConfig;
}

const defaultQuotaBytes = 2 * 1024 * 1024 * 1024;
const electionMsMax = 50_000;
const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/**
 * The keys of a YAML file are the flags' names; durations given as numbers are nanoseconds. @throws
 * UsageError
 */
export function readConfigFile(text: string): Map<string, string> {
  let document: unknown;
  try {
    document = parseYaml(text);
  } catch (error) {
    throw new UsageError(`the configuration file is no YAML: ${(error as Error).message}`);
  }
  if (typeof document !== "object" || document === null || Array.isArray(document)) {
    throw new UsageError("the configuration file must hold keys and values");
  }
  const values = new Map<string, string>();
  for (const [key, value] of Object.entries(document)) {
    const known = findFlag(key);
    if (known === undefined) throw new UsageError(`configuration file: ${unknownFlag(key)}`);
    const isNanoseconds = known.kind === "duration" && typeof value === "number";
    values.set(known.name, isNanoseconds ? `${value / 1e6}ms` : String(value));
  }
  return values;
}

/** `given` by flag name. @throws UsageError */
export function resolveConfig(given: ReadonlyMap<string, string>): ServerConfig {
  const values = new Values(given);
  const name = values.text("name");
  const advertisePeerUrls = values.urls("initial-advertise-peer-urls");
  const initialCluster = values.cluster(name, advertisePeerUrls);
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
  const quota = values.integer("quota-backend-bytes");
  values.choice("metrics", ["basic", "extensive"]);
  values.choice("logger", ["zap"]);
  values.choice("log-format", ["json"]);
  if (values.boolean("enable-grpc-gateway")) {
    throw new UsageError("--enable-grpc-gateway: there is no JSON gateway, it can only be false");
  }
  return {
    dataDir: values.text("data-dir") || `${name}.etcd`,
    listenPeers: values.addresses("listen-peer-urls"),
    listenClients: values.addresses("listen-client-urls"),
    listenMetrics:
      values.text("listen-metrics-urls") === "" ? [] : values.addresses("listen-metrics-urls"),
    clientConnections: connectionsOf(values),
    logLevel: values.choice("log-level", ["debug", "info", "warn", "error"]),
    logOutputs: values.logOutputs(),
    member: {
      ...defaultMemberConfig,
      name,
      initialCluster,
      initialClusterState: values.choice("initial-cluster-state", ["new", "existing"]),
      initialClusterToken: values.text("initial-cluster-token"),
      advertisePeerUrls,
      advertiseClientUrls: values.urls("advertise-client-urls"),
      heartbeatMs,
      electionMs,
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
      etcdChecks: etcdChecksOf(values),
      limits: {
        requestBytesMax: values.positive("max-request-bytes"),
        txnOpsMax: values.positive("max-txn-ops"),
        quotaBytes: quota === 0 ? defaultQuotaBytes : Math.max(0, quota),
        progressNotifyMs: Math.max(100, values.duration("watch-progress-notify-interval")),
      },
    },
  };
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

/** etcd 3.5 has flags for these; 3.6 has feature gates with the same meaning. */
const gates = {
  InitialCorruptCheck: "initial-corrupt-check",
  CompactHashCheck: "compact-hash-check-enabled",
} as const;

function etcdChecksOf(values: Values): MemberConfig["etcdChecks"] {
  const open = values.gates("feature-gates", Object.keys(gates));
  const isOn = (gate: keyof typeof gates): boolean => open.get(gate) ?? values.boolean(gates[gate]);
  const compactHashMs = values.duration("compact-hash-check-time");
  if (compactHashMs <= 0) {
    throw new UsageError("--compact-hash-check-time must be >0 (set to 0s)");
  }
  return {
    initial: isOn("InitialCorruptCheck"),
    periodicMs: values.duration("corrupt-check-time"),
    compactHash: isOn("CompactHashCheck"),
    compactHashMs,
  };
}

class Values {
  readonly #given: ReadonlyMap<string, string>;

  constructor(given: ReadonlyMap<string, string>) {
    this.#given = given;
  }

  text(name: string): string {
    return this.#given.get(name) ?? (flags.find((flag) => flag.name === name) as Flag).initial;
  }

  integer(name: string): number {
    const text = this.text(name);
    const value = Number(text);
    if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(value)) {
      throw new UsageError(`invalid value "${text}" for flag -${name}: it must be a whole number`);
    }
    return value;
  }

  positive(name: string): number {
    const value = this.integer(name);
    if (value > 0) return value;
    throw new UsageError(`invalid value "${value}" for flag -${name}: it must be above 0`);
  }

  boolean(name: string): boolean {
    const text = this.text(name).toLowerCase();
    if (["true", "t", "1"].includes(text)) return true;
    if (["false", "f", "0"].includes(text)) return false;
    throw new UsageError(`invalid boolean value "${text}" for -${name}: true or false`);
  }

  /** name=boolean pairs, separated by commas. */
  gates(name: string, known: readonly string[]): ReadonlyMap<string, boolean> {
    const open = new Map<string, boolean>();
    for (const part of this.text(name).split(",")) {
      if (part.trim() === "") continue;
      const [gate = "", text = ""] = part.trim().split("=", 2);
      if (!known.includes(gate)) {
        throw new UsageError(
          `invalid value "${part}" for flag -${name}: unrecognized feature gate "${gate}"; there are ${known.join(", ")}`,
        );
      }
      if (!["true", "false"].includes(text)) {
        throw new UsageError(`invalid value "${part}" for flag -${name}: ${gate}=true or =false`);
      }
      open.set(gate, text === "true");
    }
    return open;
  }

  /** Milliseconds of a duration in Go's form: 1h30m, 100ms, 1.5s. */
  duration(name: string): number {
    const text = this.text(name);
    if (text === "0") return 0;
    const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
    if (parts.length === 0 || parts.map((part) => part[0]).join("") !== text) {
      throw new UsageError(
        `invalid value "${text}" for flag -${name}: a duration like 100ms or 10m`,
      );
    }
    return parts.reduce((sum, part) => sum + Number(part[1]) * (unitMs[part[2] as string] ?? 0), 0);
  }

  choice<T extends string>(name: string, allowed: readonly T[]): T {
    const text = this.text(name) as T;
    if (allowed.includes(text)) return text;
    throw new UsageError(
      `invalid value "${text}" for flag -${name}: it must be one of ${allowed.join(", ")}`,
    );
  }

  logOutputs(): string[] {
    const outputs = this.text("log-outputs")
      .split(",")
      .map((output) => (output === "default" ? "stderr" : output));
    if (outputs.some((output) => output === "")) {
      throw new UsageError(`invalid value "${this.text("log-outputs")}" for flag -log-outputs`);
    }
    return [...new Set(outputs)];
  }

  /** The URLs as given, without a trailing slash, sorted, because their order means nothing. */
  urls(name: string): string[] {
    return this.text(name)
      .split(",")
      .map((text) => parseUrl(text.trim(), name))
      .sort();
  }

  addresses(name: string): Address[] {
    return this.urls(name).map((text) => {
      const url = new URL(text);
      return { host: url.hostname.replace(/^\[|\]$/g, ""), port: Number(url.port) };
    });
  }

  /** --initial-cluster, which must name this member with its own peer URLs. */
  cluster(self: string, peerUrls: readonly string[]): MemberConfig["initialCluster"] {
    const text = this.text("initial-cluster") || peerUrls.map((url) => `${self}=${url}`).join(",");
    const members = new Map<string, string[]>();
    for (const part of text.split(",")) {
      const at = part.indexOf("=");
      if (at <= 0) throw new UsageError(`invalid --initial-cluster: "${part}" is not name=URL`);
      const name = part.slice(0, at).trim();
      const urls = members.get(name) ?? [];
      urls.push(parseUrl(part.slice(at + 1).trim(), "initial-cluster"));
      members.set(name, urls);
    }
    const own = members.get(self)?.sort();
    if (own === undefined) {
      throw new UsageError(
        `couldn't find local name "${self}" in the initial cluster configuration`,
      );
    }
    if (own.join(",") !== peerUrls.join(",")) {
      throw new UsageError(
        `--initial-cluster has ${self}=${own.join(",")} but missing from --initial-advertise-peer-urls=${peerUrls.join(",")}`,
      );
    }
    return [...members].map(([name, urls]) => ({ name, peerUrls: urls.sort() }));
  }
}

/** @throws UsageError */
function parseUrl(text: string, name: string): string {
  const fail = (why: string): UsageError =>
    new UsageError(`invalid value "${text}" for flag -${name}: ${why}`);
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw fail("it must be a URL like http://127.0.0.1:2379");
  }
  if (url.protocol === "https:") throw fail("TLS is not supported yet: use http://");
  if (url.protocol !== "http:") throw fail("the scheme must be http");
  if (url.pathname !== "/" || url.search !== "") throw fail("it must not have a path");
  // The URL class drops the default port 80; etcd requires every port in writing.
  if (!/:\d+\/?$/.test(text)) throw fail("it must have a port");
  return text.replace(/\/$/, "");
}
