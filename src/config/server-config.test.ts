/** etcd's flag syntax, variables and file, and the errors for mistakes. */
import { describe, expect, test } from "vitest";
import { defaultMemberConfig } from "../member/config.js";
import { readConfigFile } from "./config-file.js";
import { flagHelp, flags, parseEnvironment, parseWords, UsageError } from "./flags.js";
import { resolveConfig } from "./server-config.js";

const valuesOf = (...words: string[]): Record<string, string> =>
  Object.fromEntries(parseWords(words).values);

describe("words", () => {
  test("one dash or two, a value behind = or in the next word, switches alone", () => {
    expect(
      valuesOf("--name=a", "-data-dir", "d", "--pre-vote", "--strict-reconfig-check=false"),
    ).toEqual({
      name: "a",
      "data-dir": "d",
      "pre-vote": "true",
      "strict-reconfig-check": "false",
    });
  });

  test("the later of two wins, a value may hold = and be empty", () => {
    expect(
      valuesOf("--name=a", "--name=b", "--initial-cluster=b=http://h:1", "--data-dir="),
    ).toEqual({
      name: "b",
      "initial-cluster": "b=http://h:1",
      "data-dir": "",
    });
  });

  test("3.5's experimental names mean the same flag; others of that kind do not exist", () => {
    expect(valuesOf("--experimental-compaction-batch-limit=7")).toEqual({
      "compaction-batch-limit": "7",
    });
    expect(() => valuesOf("--experimental-name=a")).toThrow(UsageError);
  });

  test.each([
    [["--nmae=a"], /-nmae \(the nearest known flag is --name\)/],
    [["--listen-client-url=x"], /nearest known flag is --listen-client-urls/],
    [["server"], /"server" is not a valid flag/],
    [["---name=a"], /"---name=a" is not a valid flag/],
    [["--name"], /flag needs an argument: -name/],
    [
      ["--compaction-batch-limit=1", "--experimental-compaction-batch-limit=1"],
      /are the same flag/,
    ],
  ])("%j is refused", (words, message) => {
    expect(() => parseWords(words)).toThrow(message);
  });

  test("help and version are asked for anywhere; help names every flag", () => {
    expect(parseWords(["--name=a", "--help"]).wants).toBe("help");
    expect(parseWords(["-version"]).wants).toBe("version");
    for (const { name } of flags) expect(flagHelp()).toContain(`--${name} `);
  });
});

test("variables: known ones by name, unknown ones told, others not ours", () => {
  const { values, unknown } = parseEnvironment({
    ETCD_DATA_DIR: "d",
    ETCD_NO_SUCH: "1",
    ETCD_NAME: "",
    PATH: "/bin",
  });
  expect([...values]).toEqual([["data-dir", "d"]]);
  expect(unknown).toEqual(["ETCD_NO_SUCH"]);
});

describe("the file", () => {
  test("keys are flags, numbers of durations are nanoseconds", () => {
    const values = readConfigFile("name: x\nbackend-batch-interval: 250000000\npre-vote: false\n");
    const config = resolveConfig(values);
    expect(config.member.name).toBe("x");
    expect(config.member.backendBatchMs).toBe(250);
    expect(config.member.preVote).toBe(false);
  });

  test.each([
    ["a: [", /no YAML/],
    ["- a", /must hold keys and values/],
    ["nam: x", /nearest known flag is --name/],
  ])("%j is refused", (text, message) => {
    expect(() => readConfigFile(text)).toThrow(message);
  });
});

describe("the configuration", () => {
  const resolve = (...words: string[]): ReturnType<typeof resolveConfig> =>
    resolveConfig(parseWords(words).values);

  test("etcd's defaults", () => {
    const config = resolve();
    expect(config.dataDir).toBe("default.etcd");
    expect(config.listenClients).toEqual([{ isTls: false, host: "localhost", port: 2379 }]);
    expect(config.member.initialCluster).toEqual([
      { name: "default", peerUrls: ["http://localhost:2380"] },
    ]);
    expect(config.member.limits.quotaBytes).toBe(2 * 1024 ** 3);
    expect(config.member.limits.progressNotifyMs).toBe(600_000);
    expect(config.member.snapshotCount).toBe(10_000);
  });

  test("members may have several URLs, in any order, with or without a slash", () => {
    const { member, listenPeers } = resolve(
      "--name=a",
      "--listen-peer-urls=http://127.0.0.1:1,http://[::1]:2/",
      "--initial-advertise-peer-urls=http://h:2,http://h:1/",
      "--initial-cluster=a=http://h:1,b=http://i:1,a=http://h:2",
    );
    expect(listenPeers).toEqual([
      { isTls: false, host: "127.0.0.1", port: 1 },
      { isTls: false, host: "::1", port: 2 },
    ]);
    expect(member.initialCluster).toEqual([
      { name: "a", peerUrls: ["http://h:1", "http://h:2"] },
      { name: "b", peerUrls: ["http://i:1"] },
    ]);
  });

  test("what client connections may do: etcd's keepalive, fewer streams", () => {
    expect(resolve().clientConnections).toEqual({
      concurrentStreamsMax: 10_000,
      keepalive: { minTimeMs: 5_000, intervalMs: 7_200_000, timeoutMs: 20_000 },
    });
    const words = [
      "--max-concurrent-streams=4294967295",
      "--grpc-keepalive-min-time=1s",
      "--grpc-keepalive-interval=0s",
      "--grpc-keepalive-timeout=2m30s",
    ];
    expect(resolve(...words).clientConnections).toEqual({
      concurrentStreamsMax: 4_294_967_295,
      keepalive: { minTimeMs: 1_000, intervalMs: Infinity, timeoutMs: 150_000 },
    });
  });

  test("log outputs and metrics addresses are lists", () => {
    expect(resolve().logOutputs).toEqual(["stderr"]);
    expect(resolve().listenMetrics).toEqual([]);
    const config = resolve(
      "--log-outputs=stdout,default,stderr,a.log",
      "--listen-metrics-urls=http://127.0.0.1:1,http://[::1]:2",
      "--enable-grpc-gateway=false",
    );
    expect(config.logOutputs).toEqual(["stdout", "stderr", "a.log"]);
    expect([resolve().hasJsonGateway, config.hasJsonGateway]).toEqual([true, false]);
    expect(config.listenMetrics).toEqual([
      { isTls: false, host: "127.0.0.1", port: 1 },
      { isTls: false, host: "::1", port: 2 },
    ]);
  });

  test("automatic compaction: hours, durations or revisions, off by default", () => {
    const of = (mode: string, retention: string) =>
      resolve(`--auto-compaction-mode=${mode}`, `--auto-compaction-retention=${retention}`).member
        .autoCompaction;
    const revisionLookMs = 300_000;
    expect(resolve().member.autoCompaction).toEqual(defaultMemberConfig.autoCompaction);
    expect(of("periodic", "1")).toEqual({ mode: "periodic", retention: 3_600_000, revisionLookMs });
    expect(of("periodic", "10m").retention).toBe(600_000);
    expect(of("periodic", "1h30m").retention).toBe(5_400_000);
    expect(of("revision", "1000")).toEqual({ mode: "revision", retention: 1_000, revisionLookMs });
    expect(of("revision", "0").retention).toBe(0);
    const wrong: readonly (readonly [string, string, RegExp])[] = [
      [
        "periodic",
        "0.5",
        /invalid value "0.5" for .*auto-compaction-retention: a fraction needs a unit/,
      ],
      ["periodic", "1d", /a duration like 100ms or 10m/],
      ["periodic", "-1", /a duration like/],
      ["periodic", "1ms", /at least 10ms/],
      ["revision", "1h", /a number of revisions/],
      ["monthly", "1", /one of periodic, revision/],
    ];
    for (const [mode, retention, text] of wrong) expect(() => of(mode, retention)).toThrow(text);
  });

  test("scrubs: a day and 32 MiB a second, or none", () => {
    expect(resolveConfig(new Map()).member).toMatchObject({
      scrubIntervalMs: defaultMemberConfig.scrubIntervalMs,
      scrubBytesPerSecond: defaultMemberConfig.scrubBytesPerSecond,
    });
    const given = new Map([
      ["scrub-interval", "0s"],
      ["scrub-rate", "1048576"],
    ]);
    expect(resolveConfig(given).member).toMatchObject({
      scrubIntervalMs: 0,
      scrubBytesPerSecond: 1_048_576,
    });
    expect(() => resolveConfig(new Map([["scrub-rate", "0"]]))).toThrow(/-scrub-rate: it must be/);
  });

  test("etcd's checks: off, by the flags of 3.5, by the flags and gates of 3.6", () => {
    const off = { initial: false, periodicMs: 0, compactHash: false, compactHashMs: 60_000 };
    expect(resolve().member.etcdChecks).toEqual(off);
    const old = [
      "--experimental-initial-corrupt-check",
      "--experimental-corrupt-check-time=1h",
      "--experimental-compact-hash-check-enabled=true",
      "--experimental-compact-hash-check-time=30s",
    ];
    const on = {
      initial: true,
      periodicMs: 3_600_000,
      compactHash: true,
      compactHashMs: 30_000,
    };
    expect(resolve(...old).member.etcdChecks).toEqual(on);
    const gates = "--feature-gates=InitialCorruptCheck=true,CompactHashCheck=true";
    const times = ["--corrupt-check-time=1h", "--compact-hash-check-time=30s"];
    expect(resolve(gates, ...times).member.etcdChecks).toEqual(on);
    expect(resolve("--corrupt-check-time=0").member.etcdChecks).toEqual(off);
  });

  test("a negative quota is none, durations are Go's", () => {
    const { member } = resolve("--quota-backend-bytes=-1", "--compaction-sleep-interval=1m1.5s");
    expect(member.limits.quotaBytes).toBe(0);
    expect(member.compactionSleepMs).toBe(61_500);
  });

  test.each([
    [["--election-timeout=400"], /at least as 5 times as --heartbeat-interval\[100ms\]/],
    [["--election-timeout=60000"], /too long/],
    [["--heartbeat-interval=fast"], /must be a whole number/],
    [["--max-txn-ops=0"], /must be above 0/],
    [["--pre-vote=maybe"], /true or false/],
    [["--backend-batch-interval=10"], /a duration like 100ms/],
    [["--initial-cluster-state=old"], /one of new, existing/],
    [["--corrupt-scope=all"], /one of member, cluster/],
    [["--compact-hash-check-time=0s"], /compact-hash-check-time must be >0/],
    [
      ["--feature-gates=NoSuchGate=true"],
      /unrecognized feature gate "NoSuchGate"; there are Initial/,
    ],
    [["--feature-gates=CompactHashCheck"], /CompactHashCheck=true or =false/],
    [["--metrics=all"], /one of basic, extensive/],
    [["--log-format=xml"], /one of json, console/],
    [["--logger=capnslog"], /one of zap/],
    [["--log-outputs=stdout,"], /invalid value "stdout,"/],
    [["--discovery-srv=d", "--initial-cluster=default=http://localhost:2380"], /give one of them/],
    [["--tls-min-version=TLS1.0"], /must be one of: TLS1.2, TLS1.3/],
    [["--tls-min-version=TLS1.3", "--tls-max-version=TLS1.2"], /is greater than max version/],
    [["--cipher-suites=TLS_RSA_WITH_RC4_128_SHA"], /unexpected TLS cipher suite "TLS_RSA_WITH_RC4/],
    [["--client-crl-file=x"], /nobody must show a certificate/],
    [["--peer-cert-allowed-cn=x"], /nobody must show a certificate/],
    [["--peer-auto-tls"], /no URL of --listen-peer-urls begins with https/],
    [["--memory-mlock"], /invalid value "true" for flag -memory-mlock: Node cannot/],
    [["--log-level=loud"], /one of debug, info, warn, error/],
    [["--listen-client-urls=127.0.0.1:2379"], /must be a URL|scheme must be http/],
    [["--listen-client-urls=https://h:1"], /--cert-file, --key-file\) must be provided/],
    [["--listen-client-urls=http://h"], /must have a port/],
    [["--listen-client-urls=http://h:1/x"], /must not have a path/],
    [["--name=z", "--initial-cluster=a=http://localhost:2380"], /couldn't find local name "z"/],
    [["--initial-cluster=http://h:9"], /not name=URL|couldn't find/],
  ])("%j is refused", (words, message) => {
    expect(() => resolve(...words)).toThrow(message);
    expect(() => resolve(...words)).toThrow(UsageError);
  });
});

describe("distributed tracing", () => {
  const tracing = (more: Record<string, string>) =>
    resolveConfig(new Map(Object.entries({ "enable-distributed-tracing": "true", ...more })))
      .tracing;

  test("off by default; on, it has etcd's defaults", () => {
    expect(resolveConfig(new Map()).tracing).toBeUndefined();
    const defaults = { serviceName: "etcd", instanceId: "", samplingPerMillion: 0 };
    expect(tracing({})).toEqual({ address: "localhost:4317", ...defaults });
    expect(valuesOf("--experimental-enable-distributed-tracing")).toEqual({
      "enable-distributed-tracing": "true",
    });
  });

  test.each([
    ["distributed-tracing-address", "http://h:4317", /host:port, without a scheme/],
    ["distributed-tracing-address", "h", /host:port/],
    ["distributed-tracing-address", "h:0", /host:port/],
    ["distributed-tracing-sampling-rate", "-1", /0 to 1000000/],
    ["distributed-tracing-sampling-rate", "1000001", /0 to 1000000/],
  ])("--%s=%s is refused", (name, value, message) => {
    expect(() => tracing({ [name]: value })).toThrow(message);
  });

  test.each(["h:1", "10.0.0.1:4317", "[::1]:65535"])("a collector at %s", (address) => {
    expect(tracing({ "distributed-tracing-address": address })?.address).toBe(address);
  });
});
