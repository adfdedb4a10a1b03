/**
 * The flags of `lockstep audit`: they have etcdctl's names where etcdctl has them, and ETCDCTL_* in
 * the environment.
 */
import { CtlError, type Flags, type FlagTable, parseDuration, parseFlags } from "../ctl/flags.js";
import { type TlsFiles, tlsFlags, tlsOf } from "../endpoint-tls.js";
import { type EndpointUser, userFlags, userOf } from "../endpoint-user.js";

export const auditUsage = `Usage: lockstep audit --endpoints a,b,c [flags]

Watches the members of any etcd v3 cluster, and says when they no longer hold the same data.
Reads only; see docs/audit.md.

  --endpoints LIST        the members, host:port or URLs (127.0.0.1:2379)
  --cluster               ask these for the list of members, and watch all of them
  --once                  one round
  --interval D            time between rounds (10s)
  --keep-going            go on after a divergence
  -w, --write-out FORMAT  simple, json (a line each round) or prometheus (simple)
  --listen HOST:PORT      serve Prometheus' metrics of the last round at /metrics
  --cacert FILE           whom to trust; --cert FILE and --key FILE: who we are
  --insecure-skip-tls-verify
  --user NAME[:PASSWORD]  or --password PASSWORD beside it
  --dial-timeout D        to connect (2s)
  --command-timeout D     of one call (5s)

Exit: 0 clean, 1 divergence, 2 it cannot be told (the reason is on standard error) or wrong usage.
`;

const table: FlagTable = {
  endpoints: "127.0.0.1:2379",
  cluster: false,
  once: false,
  interval: "10s",
  "keep-going": false,
  "write-out": "simple",
  listen: "",
  ...tlsFlags,
  ...userFlags,
  "dial-timeout": "2s",
  "command-timeout": "5s",
  help: false,
};
const formats = ["simple", "json", "prometheus"] as const;

/** How to reach the members. */
export interface Access {
  readonly dialMs: number;
  readonly commandMs: number;
  /** Also used for endpoints without a scheme. Undefined: only for https://. */
  readonly tls: TlsFiles | undefined;
  readonly user: EndpointUser | undefined;
}
export interface AuditFlags {
  readonly endpoints: readonly string[];
  readonly isWholeCluster: boolean;
  readonly isOnce: boolean;
  readonly intervalMs: number;
  readonly keepsGoing: boolean;
  readonly format: (typeof formats)[number];
  readonly listen: { readonly host: string; readonly port: number } | undefined;
  readonly access: Access;
}

/**
 * Reads the flags. Returns "help" if they ask for it. @throws CtlError on wrong usage, or an error
 * of the file system
 */
export function readAuditFlags(
  words: readonly string[],
  env: NodeJS.ProcessEnv,
): AuditFlags | "help" {
  const { flags, args } = parseFlags(words, fromEnvironment(env));
  if (flags.isOn("help")) return "help";
  if (args.length > 0) throw new CtlError(`no arguments are expected: ${args.join(" ")}`);
  const format = formats.find((each) => each === flags.text("write-out"));
  if (format === undefined) {
    throw new CtlError(`unsupported output format "${flags.text("write-out")}"`);
  }
  const endpoints = flags
    .text("endpoints")
    .split(",")
    .map((each) => each.trim());
  if (endpoints.some((each) => each === "")) throw new CtlError("--endpoints: one is empty");
  return {
    endpoints: [...new Set(endpoints)],
    isWholeCluster: flags.isOn("cluster"),
    isOnce: flags.isOn("once"),
    intervalMs: positive(flags, "interval"),
    keepsGoing: flags.isOn("keep-going"),
    format,
    listen: listenOf(flags),
    access: {
      dialMs: positive(flags, "dial-timeout"),
      commandMs: positive(flags, "command-timeout"),
      tls: tlsOf(flags),
      user: userOf(flags),
    },
  };
}

function fromEnvironment(env: NodeJS.ProcessEnv): FlagTable {
  const names = Object.entries(table).map(([name, start]) => {
    const value = env[`ETCDCTL_${name.toUpperCase().replaceAll("-", "_")}`] ?? "";
    if (value === "") return [name, start];
    return [name, typeof start === "boolean" ? /^(1|t|true)$/i.test(value) : value];
  });
  return Object.fromEntries(names) as FlagTable;
}

function positive(flags: Flags, name: string): number {
  const ms = parseDuration(name, flags.text(name));
  if (ms > 0) return ms;
  throw new CtlError(`--${name} must be above 0`);
}

function listenOf(flags: Flags): AuditFlags["listen"] {
  const text = flags.text("listen");
  if (text === "") return undefined;
  if (flags.isOn("once")) throw new CtlError("--listen serves while it watches: not with --once");
  const [, host, port] = /^(.*):(\d+)$/.exec(text) ?? [];
  if (host === undefined || Number(port) > 65_535)
    throw new CtlError(`--listen ${text}: HOST:PORT`);
  return { host: host.replace(/^\[(.*)\]$/, "$1"), port: Number(port) };
}
