/**
 * The flags of `lockstep server`: etcd's names, defaults and Go syntax (-f or --f, =value or the
 * next word, booleans alone or =value), for the features that exist. An unknown flag is an error
 * that names the nearest known one. Pure: words and variables in, texts out.
 */

export type FlagKind = "text" | "integer" | "boolean" | "duration" | "urls";

export interface Flag {
  readonly name: string;
  readonly kind: FlagKind;
  readonly initial: string;
  readonly help: string;
}

/** For durations without a unit: milliseconds, where etcd's flag is a number of milliseconds. */
export const flags: readonly Flag[] = [
  flag("name", "text", "default", "Name of this member."),
  flag("data-dir", "text", "", "Folder of its data; default: the name with .etcd behind."),
  flag("listen-peer-urls", "urls", "http://localhost:2380", "Where peers connect."),
  flag("listen-client-urls", "urls", "http://localhost:2379", "Where clients connect."),
  flag("initial-advertise-peer-urls", "urls", "http://localhost:2380", "Peer URLs told to others."),
  flag("advertise-client-urls", "urls", "http://localhost:2379", "Client URLs told to others."),
  flag("initial-cluster", "text", "", "Founding members: name=peerURL,..."),
  flag("initial-cluster-state", "text", "new", "new, or existing to join a running cluster."),
  flag("initial-cluster-token", "text", "etcd-cluster", "Tells clusters with equal URLs apart."),
  flag("strict-reconfig-check", "boolean", "true", "Refuse changes that could lose the quorum."),
  flag("pre-vote", "boolean", "true", "Ask before an election whether it could be won."),
  flag("heartbeat-interval", "integer", "100", "Milliseconds between heartbeats."),
  flag("election-timeout", "integer", "1000", "Milliseconds without leader before an election."),
  flag("snapshot-count", "integer", "10000", "Applied entries between compactions of the log."),
  flag("snapshot-catchup-entries", "integer", "5000", "Entries kept for followers that lag."),
  flag("quota-backend-bytes", "integer", "0", "Space quota; 0: 2 GiB, negative: none."),
  flag("max-txn-ops", "integer", "128", "Operations in a transaction."),
  flag("max-request-bytes", "integer", "1572864", "Bytes of a request."),
  flag("max-learners", "integer", "1", "Learners at a time."),
  flag("backend-batch-interval", "duration", "100ms", "Time between backend commits."),
  flag("backend-batch-limit", "integer", "10000", "Entries that force a backend commit."),
  flag("compaction-batch-limit", "integer", "1000", "Rows in one step of a compaction."),
  flag("compaction-sleep-interval", "duration", "10ms", "Pause between these steps."),
  flag("scrub-interval", "duration", "24h", "Time between scrubs of all data at rest; 0s: none."),
  flag("scrub-rate", "integer", "33554432", "Bytes a second that a scrub reads at most."),
  flag(
    "corrupt-scope",
    "text",
    "member",
    "What a wrong member stops: itself, or as in etcd the cluster.",
  ),
  flag("initial-corrupt-check", "boolean", "false", "Compare keys with the others before serving."),
  flag("corrupt-check-time", "duration", "0s", "Time between etcd's checks of keys; 0s: none."),
  flag("compact-hash-check-enabled", "boolean", "false", "Compare the hashes of compactions."),
  flag("compact-hash-check-time", "duration", "1m", "Time between these comparisons."),
  flag(
    "feature-gates",
    "text",
    "",
    "InitialCorruptCheck=true, CompactHashCheck=true; with commas.",
  ),
  flag("watch-progress-notify-interval", "duration", "10m", "Time between progress notices."),
  flag("max-concurrent-streams", "integer", "10000", "Calls at a time on one connection."),
  flag("grpc-keepalive-min-time", "duration", "5s", "A client may ping once in this time."),
  flag("grpc-keepalive-interval", "duration", "2h", "A silent connection is pinged; 0s: never."),
  flag("grpc-keepalive-timeout", "duration", "20s", "It is closed without an answer; 0s: never."),
  flag("listen-metrics-urls", "urls", "", "More addresses for /metrics, /health and the like."),
  flag("metrics", "text", "basic", "Accepted for etcd's sake: basic or extensive, both the same."),
  flag("enable-grpc-gateway", "boolean", "false", "Only false: there is no JSON gateway."),
  flag("logger", "text", "zap", "Accepted for etcd's sake; the format is etcd's JSON."),
  flag("log-format", "text", "json", "Only json."),
  flag("log-level", "text", "info", "debug, info, warn or error."),
  flag("log-outputs", "text", "default", "default (stderr), stderr, stdout, files; with commas."),
  flag(
    "config-file",
    "text",
    "",
    "YAML file with these keys; then flags and variables are ignored.",
  ),
];

/** etcd 3.5 calls these experimental; both names mean the same. */
const experimental = new Set([
  "snapshot-catchup-entries",
  "compaction-batch-limit",
  "compaction-sleep-interval",
  "watch-progress-notify-interval",
  "max-learners",
  "initial-corrupt-check",
  "corrupt-check-time",
  "compact-hash-check-enabled",
  "compact-hash-check-time",
]);

export class UsageError extends Error {
  override readonly name = "UsageError";
}

export interface ParsedFlags {
  /** Values by flag name; only flags that were given. */
  readonly values: ReadonlyMap<string, string>;
  readonly wants: "server" | "help" | "version";
}

/** @throws UsageError */
export function parseWords(words: readonly string[]): ParsedFlags {
  const values = new Map<string, string>();
  const spelled = new Map<string, string>();
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as string;
    const match = /^--?([^=-][^=]*)(?:=([\s\S]*))?$/.exec(word);
    if (match === null) throw new UsageError(`"${word}" is not a valid flag`);
    const [, given, inline] = match as unknown as [string, string, string | undefined];
    if (given === "h" || given === "help") return { values, wants: "help" };
    if (given === "version") return { values, wants: "version" };
    const known = findFlag(given);
    if (known === undefined) throw new UsageError(unknownFlag(given));
    const isSwitch = known.kind === "boolean" && inline === undefined;
    const value = inline ?? (isSwitch ? "true" : words[++at]);
    if (value === undefined) throw new UsageError(`flag needs an argument: -${given}`);
    if ((spelled.get(known.name) ?? given) !== given) {
      throw new UsageError(`-${given} and -${spelled.get(known.name)} are the same flag: give one`);
    }
    spelled.set(known.name, given);
    values.set(known.name, value);
  }
  return { values, wants: "server" };
}

/** ETCD_* variables: `values` by flag name, `unknown` the names that match no flag. */
export function parseEnvironment(environment: Readonly<Record<string, string | undefined>>): {
  readonly values: ReadonlyMap<string, string>;
  readonly unknown: readonly string[];
} {
  const values = new Map<string, string>();
  const unknown: string[] = [];
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith("ETCD_") || value === undefined || value === "") continue;
    const known = findFlag(name.slice("ETCD_".length).toLowerCase().replaceAll("_", "-"));
    if (known === undefined) unknown.push(name);
    else values.set(known.name, value);
  }
  return { values, unknown };
}

export function findFlag(name: string): Flag | undefined {
  const short = name.startsWith("experimental-") ? name.slice("experimental-".length) : name;
  if (short !== name && !experimental.has(short)) return undefined;
  return flags.find((known) => known.name === short);
}

export function unknownFlag(name: string): string {
  const nearest = [...flags].sort((a, b) => distance(a.name, name) - distance(b.name, name))[0];
  return `flag provided but not defined: -${name} (the nearest known flag is --${nearest?.name})`;
}

export function flagHelp(): string {
  const lines = flags.map(({ name, initial, help }) => `  --${name} '${initial}'\n      ${help}`);
  return ["Usage: lockstep server [flags]", "", ...lines, ""].join("\n");
}

function flag(name: string, kind: FlagKind, initial: string, help: string): Flag {
  return { name, kind, initial, help };
}

/** Levenshtein's edit distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replace, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
