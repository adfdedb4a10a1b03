/**
 * Lists every flag of etcd 3.4 to 3.7 and what this build makes of it. `node tools/flags-page.mjs`
 * writes docs/flags.md from this table. A flag without a verdict works as in etcd.
 */
import { accepted, type Flag, flag, refused } from "./flag.js";

const noDiscovery =
  "there is no discovery service: name the members in --initial-cluster, or in DNS (--discovery-srv)";
const noV2 = "the API of version 2 does not exist, as in etcd 3.6 and later";
const noProxy = "there is no proxy of version 2, as in etcd 3.6 and later";
const noRotation =
  "it does not rotate its log: write to stderr, and let journald or logrotate do that";
const ownLog = "Lockstep's log keeps what followers and snapshots need, and no more";
const nothingSlow = "no line is logged for slow requests; the histograms of /metrics show them";

const member: readonly Flag[] = [
  flag("name", "text", "default", "Name of this member."),
  flag("data-dir", "text", "", "Folder of its data; default: the name with .etcd behind."),
  flag("wal-dir", "text", "", "Folder of its write-ahead log; default: wal in --data-dir."),
  flag("snapshot-count", "integer", "10000", "Applied entries between compactions of the log."),
  flag("heartbeat-interval", "integer", "100", "Milliseconds between heartbeats."),
  flag("election-timeout", "integer", "1000", "Milliseconds without leader before an election."),
  flag(
    "initial-election-tick-advance",
    ...accepted(
      "boolean",
      "true",
      "an election begins no earlier after a start than at other times",
    ),
  ),
  flag("listen-peer-urls", "urls", "http://localhost:2380", "Where peers connect."),
  flag("listen-client-urls", "urls", "http://localhost:2379", "Where clients connect."),
  flag(
    "listen-client-http-urls",
    "urls",
    "",
    "Where clients speak HTTP only; then the client URLs are for gRPC.",
  ),
  flag(
    "max-snapshots",
    ...accepted("integer", "5", "there is one state and no file for each snapshot"),
  ),
  flag("max-wals", ...accepted("integer", "5", ownLog)),
  flag(
    "memory-mlock",
    ...refused("boolean", "false", "Node cannot lock its memory: turn swap off"),
  ),
  flag("quota-backend-bytes", "integer", "0", "Space quota; 0: 2 GiB, negative: none."),
  flag("backend-bbolt-freelist-type", ...accepted("text", "map", "the backend is LMDB, not bbolt")),
  flag("backend-batch-interval", "duration", "100ms", "Time between backend commits."),
  flag("backend-batch-limit", "integer", "10000", "Entries that force a backend commit."),
  flag("max-txn-ops", "integer", "128", "Operations in a transaction."),
  flag("max-request-bytes", "integer", "1572864", "Bytes of a request."),
  flag("max-concurrent-streams", "integer", "10000", "Calls at a time on one connection."),
  flag("grpc-keepalive-min-time", "duration", "5s", "A client may ping once in this time."),
  flag("grpc-keepalive-interval", "duration", "2h", "A silent connection is pinged; 0s: never."),
  flag("grpc-keepalive-timeout", "duration", "20s", "It is closed without an answer; 0s: never."),
  flag("socket-reuse-port", "boolean", "false", "Several processes may listen on one port."),
  flag(
    "socket-reuse-address",
    ...accepted("boolean", "false", "Node always sets SO_REUSEADDR on its listeners"),
  ),
  flag("enable-grpc-gateway", "boolean", "true", "JSON over HTTP on the client addresses."),
  flag("raft-read-timeout", ...accepted("duration", "5s", "a silent peer is left after 3 s")),
  flag("raft-write-timeout", ...accepted("duration", "5s", "a silent peer is left after 3 s")),
  flag("feature-gates", "text", "", "Gates of etcd: InitialCorruptCheck=true and so on."),
];

const clustering: readonly Flag[] = [
  flag("initial-advertise-peer-urls", "urls", "http://localhost:2380", "Peer URLs told to others."),
  flag("initial-cluster", "text", "", "Founding members: name=peerURL,..."),
  flag("initial-cluster-state", "text", "new", "new, or existing to join a running cluster."),
  flag("initial-cluster-token", "text", "etcd-cluster", "Tells clusters with equal URLs apart."),
  flag("advertise-client-urls", "urls", "http://localhost:2379", "Client URLs told to others."),
  flag("discovery", ...refused("text", "", noDiscovery)),
  flag("discovery-token", ...refused("text", "", noDiscovery)),
  flag("discovery-endpoints", ...refused("text", "", noDiscovery)),
  flag("discovery-dial-timeout", ...accepted("duration", "2s", noDiscovery)),
  flag("discovery-request-timeout", ...accepted("duration", "5s", noDiscovery)),
  flag("discovery-keepalive-time", ...accepted("duration", "2s", noDiscovery)),
  flag("discovery-keepalive-timeout", ...accepted("duration", "6s", noDiscovery)),
  flag("discovery-insecure-transport", ...accepted("boolean", "true", noDiscovery)),
  flag("discovery-insecure-skip-tls-verify", ...accepted("boolean", "false", noDiscovery)),
  flag("discovery-cert", ...refused("text", "", noDiscovery)),
  flag("discovery-key", ...refused("text", "", noDiscovery)),
  flag("discovery-cacert", ...refused("text", "", noDiscovery)),
  flag("discovery-user", ...refused("text", "", noDiscovery)),
  flag("discovery-password", ...refused("text", "", noDiscovery)),
  flag("discovery-fallback", ...accepted("text", "exit", noDiscovery)),
  flag("discovery-proxy", ...refused("text", "", noDiscovery)),
  flag("discovery-srv", "text", "", "Domain whose SRV records name the founding members."),
  flag("discovery-srv-name", "text", "", "Added to the service's name in those records."),
  flag("strict-reconfig-check", "boolean", "true", "Refuse changes that could lose the quorum."),
  flag("pre-vote", "boolean", "true", "Ask before an election whether it could be won."),
  flag("max-learners", "integer", "1", "Learners at a time."),
  flag(
    "auto-compaction-retention",
    "text",
    "0",
    "History to keep: hours, a duration, or revisions; 0: compact on request only.",
  ),
  flag("auto-compaction-mode", "text", "periodic", "periodic (time) or revision (a number)."),
  flag("v2-deprecation", ...accepted("text", "write-only", noV2)),
  flag("enable-v2", ...refused("boolean", "false", noV2)),
  flag("enable-v2v3", ...refused("text", "", noV2)),
  flag("proxy", ...refused("text", "off", noProxy)),
  flag("proxy-failure-wait", ...accepted("integer", "5000", noProxy)),
  flag("proxy-refresh-interval", ...accepted("integer", "30000", noProxy)),
  flag("proxy-dial-timeout", ...accepted("integer", "1000", noProxy)),
  flag("proxy-write-timeout", ...accepted("integer", "5000", noProxy)),
  flag("proxy-read-timeout", ...accepted("integer", "0", noProxy)),
];

const security: readonly Flag[] = [
  flag("cert-file", "text", "", "Certificate shown to clients (PEM)."),
  flag("key-file", "text", "", "Its key (PEM)."),
  flag("client-cert-auth", "boolean", "false", "Clients must show a certificate."),
  flag(
    "client-cert-file",
    "text",
    "",
    "Checked and kept. This member is no client of another server.",
  ),
  flag("client-key-file", "text", "", "Its key (PEM)."),
  flag("client-crl-file", "text", "", "Clients' certificates that are revoked (DER or PEM)."),
  flag(
    "client-cert-allowed-hostname",
    "text",
    "",
    "Host name in clients' certificates; with commas.",
  ),
  flag(
    "trusted-ca-file",
    "text",
    "",
    "The authorities that sign clients' certificates. Every client must then show one.",
  ),
  flag("auto-tls", "boolean", "false", "Make a certificate for clients' connections."),
  flag("peer-cert-file", "text", "", "Certificate shown to peers (PEM)."),
  flag("peer-key-file", "text", "", "Its key (PEM)."),
  flag("peer-client-cert-auth", "boolean", "false", "Peers must show a certificate."),
  flag("peer-client-cert-file", "text", "", "Certificate shown where this member dials."),
  flag("peer-client-key-file", "text", "", "Its key (PEM)."),
  flag(
    "peer-trusted-ca-file",
    "text",
    "",
    "The authorities that sign peers' certificates. Every peer must then show one.",
  ),
  flag("peer-cert-allowed-cn", "text", "", "Common names of peers' certificates; with commas."),
  flag("peer-cert-allowed-hostname", "text", "", "Host names in peers' certificates; with commas."),
  flag("peer-auto-tls", "boolean", "false", "Make a certificate for peers' connections."),
  flag("self-signed-cert-validity", "integer", "1", "Years that such certificates are valid."),
  flag("peer-crl-file", "text", "", "Peers' certificates that are revoked (DER or PEM)."),
  flag(
    "peer-skip-client-san-verification",
    "boolean",
    "false",
    "Peers' certificates need not name the address that they come from.",
  ),
  flag("cipher-suites", "text", "", "Cipher suites of TLS 1.2, by their IANA names; with commas."),
  flag("cors", "text", "*", "Origins whose pages may call; with commas."),
  flag("host-whitelist", "text", "*", "Host names in HTTP requests without TLS; with commas."),
  flag("tls-min-version", "text", "TLS1.2", "TLS1.2 or TLS1.3."),
  flag("tls-max-version", "text", "", "TLS1.2 or TLS1.3; empty: the newest."),
  flag(
    "auth-token",
    "text",
    "simple",
    "Kind of token: simple, or jwt,sign-method=M,pub-key=FILE,...",
  ),
  flag("bcrypt-cost", "integer", "10", "Cost of a password's hash: 4 to 31."),
  flag("auth-token-ttl", "integer", "300", "Seconds that a simple token lives unused."),
];

const watching: readonly Flag[] = [
  flag("enable-pprof", "boolean", "false", "CPU profiles of V8 at /debug/pprof/profile."),
  flag("metrics", ...accepted("text", "basic", "basic and extensive are the same")),
  flag("listen-metrics-urls", "urls", "", "More addresses for /metrics, /health and the like."),
  flag("logger", ...accepted("text", "zap", "the format is etcd's")),
  flag("log-outputs", "text", "default", "default (stderr), stderr, stdout, files; with commas."),
  flag("log-level", "text", "info", "debug, info, warn or error."),
  flag("log-format", "text", "json", "json, or console for people."),
  flag("log-package-levels", ...accepted("text", "", "there is one level, --log-level")),
  flag("debug", "boolean", "false", "Like --log-level=debug."),
  flag("enable-log-rotation", ...refused("boolean", "false", noRotation)),
  flag("log-rotation-config-json", ...accepted("text", "", noRotation)),
  flag("warning-unary-request-duration", ...accepted("duration", "300ms", nothingSlow)),
  flag("enable-distributed-tracing", "boolean", "false", "Sends spans of calls by OTLP over gRPC."),
  flag("distributed-tracing-address", "text", "localhost:4317", "host:port of the collector."),
  flag("distributed-tracing-service-name", "text", "etcd", "The spans' service.name."),
  flag("distributed-tracing-instance-id", "text", "", "Their service.instance.id; empty: none."),
  flag(
    "distributed-tracing-sampling-rate",
    "integer",
    "0",
    "Calls in a million that are traced. One whose caller is traced always is.",
  ),
];

const features: readonly Flag[] = [
  flag("initial-corrupt-check", "boolean", "false", "Compare keys with the others before serving."),
  flag("corrupt-check-time", "duration", "0s", "Time between etcd's checks of keys; 0s: none."),
  flag("compact-hash-check-enabled", "boolean", "false", "Compare the hashes of compactions."),
  flag("compact-hash-check-time", "duration", "1m", "Time between these comparisons."),
  flag("compaction-batch-limit", "integer", "1000", "Rows in one step of a compaction."),
  flag("compaction-sleep-interval", "duration", "10ms", "Pause between these steps."),
  flag("watch-progress-notify-interval", "duration", "10m", "Time between progress notices."),
  flag("warning-apply-duration", ...accepted("duration", "100ms", nothingSlow)),
  flag(
    "bootstrap-defrag-threshold-megabytes",
    ...accepted("integer", "0", "LMDB uses free pages again: defragment on request"),
  ),
  flag(
    "downgrade-check-time",
    ...accepted("duration", "5s", "it is checked at each applied entry"),
  ),
  flag("snapshot-catchup-entries", "integer", "5000", "Entries kept for followers that lag."),
  flag("enable-lease-checkpoint", ...accepted("boolean", "false", "see the gate LeaseCheckpoint")),
  flag(
    "enable-lease-checkpoint-persist",
    ...accepted("boolean", "false", "see the gate LeaseCheckpoint"),
  ),
  flag(
    "txn-mode-write-with-shared-buffer",
    ...accepted("boolean", "true", "transactions never copy a buffer"),
  ),
  flag(
    "stop-grpc-service-on-defrag",
    ...accepted("boolean", "false", "a member serves while it defragments"),
  ),
  flag("set-member-localaddr", ...accepted("boolean", "false", "the system chooses the address")),
  flag("wait-cluster-ready-timeout", ...accepted("duration", "5s", "it serves once it is ready")),
];

const unsafe: readonly Flag[] = [
  flag(
    "force-new-cluster",
    "boolean",
    "false",
    "A majority is lost: make this member the only one, with its data. Once, never as a habit.",
  ),
  flag(
    "unsafe-no-fsync",
    ...refused("boolean", "false", "Lockstep acknowledges nothing that is not on disk"),
  ),
];

/** Not etcd's. */
const ours: readonly Flag[] = [
  flag(
    "client-cert-allowed-cn",
    "text",
    "",
    "Common names of clients' certificates; with commas. The key allowed-cn of etcd's file.",
  ),
  flag("scrub-interval", "duration", "24h", "Time between scrubs of all data at rest; 0s: none."),
  flag("scrub-rate", "integer", "33554432", "Bytes a second that a scrub reads at most."),
  flag(
    "corrupt-scope",
    "text",
    "member",
    "What a wrong member stops: itself, or as in etcd the cluster.",
  ),
  flag(
    "enable-grpc-reflection",
    "boolean",
    "false",
    "Tells tools such as grpcurl the services and messages (grpc.reflection v1 and v1alpha).",
  ),
  flag(
    "nospace-end",
    "text",
    "automatic",
    "What ends the alarm NOSPACE: the cluster (automatic) or, as in etcd, an operator (manual).",
  ),
];

/** All flags in the order of the help and of docs/flags.md. No name occurs twice. */
export const flagGroups: readonly { readonly title: string; readonly flags: readonly Flag[] }[] = [
  { title: "Member", flags: member },
  { title: "Clustering", flags: clustering },
  { title: "Security", flags: security },
  { title: "Monitoring and logging", flags: watching },
  { title: "Features", flags: features },
  { title: "Unsafe", flags: unsafe },
  { title: "Lockstep's own", flags: ours },
  {
    title: "Configuration",
    flags: [
      flag(
        "config-file",
        "text",
        "",
        "YAML file with these keys; then flags and variables are ignored.",
      ),
    ],
  },
];

/** What 3.4 to 3.6 call experimental-NAME; both names mean the same. */
export const experimentalNames: ReadonlySet<string> = new Set([
  ...features.map(({ name }) => name),
  "max-learners",
  "memory-mlock",
  "backend-bbolt-freelist-type",
  "peer-skip-client-san-verification",
  "warning-unary-request-duration",
  "enable-v2v3",
  ...watching.map(({ name }) => name).filter((name) => name.includes("distributed-tracing")),
]);
