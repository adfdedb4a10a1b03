/** `lockstep ctl` prints what etcdctl 3.5 prints, call by call, against one server. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cleanEnv } from "../../src/cli/stage/server-process.js";
import { Cluster } from "../support/cluster.js";
import { etcdctlPath, isMissing, projectRoot } from "../support/server-kind.js";

const FORMATS = ["simple", "json", "fields", "table"] as const;
/** Calls that leave the store as it is, so that both clients get the same answer. */
const reads: readonly { readonly run: string; readonly input?: string }[] = [
  ...[
    "get a/1",
    "get a/ --prefix",
    "get a/ --prefix --limit 1",
    "get a/2 --from-key",
    "get nothing",
    "lease list",
  ]
    .concat([
      "get a/ --prefix --order DESCEND --sort-by MODIFY",
      "lease timetolive 123",
      "member list",
      "endpoint hashkv",
      "alarm list",
      "del nothing",
    ])
    .flatMap((run) => FORMATS.map((format) => ({ run: `${run} -w ${format}` })))
    .concat(
      [
        "move-leader 1",
        "move-leader",
        "member update 1 --peer-urls http://x:1",
        "alarm disarm",
      ].map((run) => ({ run })),
    ),
  ...[
    "get a/1 --hex",
    "get a/ --prefix --keys-only",
    "get a/ --prefix --print-value-only",
    "get a b --prefix",
    "member list --hex -w json",
    "member list --hex",
  ]
    .concat([
      "get",
      "get a --rev 999",
      "get a --order foo",
      "get a --count-only",
      "get a -w foo",
      "put",
    ])
    .concat([
      "get a --prefix --count-only -w fields",
      "lease revoke zz",
      "lease revoke 1234",
      "compaction x",
    ])
    .concat(["member remove zz", "member remove 12", "lease grant x", "put a b --ignore-value"])
    .map((run) => ({ run })),
  ...FORMATS.map((format) => ({
    run: `txn -w ${format}`,
    input: 'version("a/1") = "1"\n\nget a/1\ndel nothing\n\nget a/2\n\n',
  })),
  { run: "txn", input: "foo\n\n" },
  { run: "txn", input: 'value("a/1") = "\\xff"\n\n\nget "a\\x2f2"\n\n' },
  { run: "txn -i", input: "\n\nget a/1\n\n\n" },
  { run: "txn", input: 'mod("a/1") > "z"\n\n\n\n' },
  ...[
    "del a/1 a/2 a/3",
    "get -wjson a/1",
    "alarm list x",
    "lease timetolive",
    "lease keep-alive",
    "lease keep-alive 1234",
    "member add x --peer-urls=",
    "endpoint hashkv --rev 99999",
    "watch",
  ].map((run) => ({ run })),
];

describe.skipIf(isMissing("etcd35", "lockstep"))("lockstep ctl", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.start({ kind: "lockstep", size: 1 });
    const { client } = await cluster.leader();
    for (const [key, value] of [
      ["a/1", "one\n\x01é<>"],
      ["a/2", "two"],
    ] as const) {
      await client.put({ key: Buffer.from(key), value: Buffer.from(value) });
    }
  }, 60_000);
  afterAll(() => cluster?.dispose());

  test.each(reads)(
    "$run",
    ({ run, input }) => {
      const args = [`--endpoints=${cluster.first.endpoint}`, ...run.split(" ")];
      const call = (command: string, words: readonly string[]) => {
        const end = spawnSync(command, words, {
          input: input ?? "",
          encoding: "utf8",
          env: cleanEnv({ ETCDCTL_API: "3" }),
        });
        return {
          stdout: end.stdout,
          stderr: end.stderr.replace(/^\{"level":.*\n/gm, ""),
          status: end.status,
        };
      };
      const actual = call(process.execPath, [join(projectRoot, "bin/lockstep"), "ctl", ...args]);
      expect(actual).toEqual(call(etcdctlPath(), args));
    },
    20_000,
  );
});
