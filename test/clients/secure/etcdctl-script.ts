/**
 * Every command of etcdctl 3.5 as root and as a user with few rights, for three members with mutual
 * TLS and auth. What etcdctl does without a server (completion, help, snapshot restore) is left out,
 * but for what a backup needs.
 */
import { inFolder, type Step } from "../etcdctl.js";
import { oneMember } from "../etcdctl-script.js";

const user = "--user=u:upw";

function calls(...runs: readonly string[]): readonly Step[] {
  return runs.map((run) => ({ run }));
}

function asUser(...runs: readonly string[]): readonly Step[] {
  return runs.map((run) => ({ run: `${run} ${user}` }));
}

const formats = ["simple", "json", "fields"] as const;
function inFormats(run: string): readonly Step[] {
  return formats.map((format) => ({ run: `${run} -w ${format}` }));
}

/** The flags give root's name already while nobody has to log in. */
const enabling: readonly Step[] = [
  ...calls("auth status", "auth enable", "user add root:pw", "auth enable"),
  ...calls("user grant-role root root", "auth enable", "auth enable", "auth status"),
];

const users: readonly Step[] = [
  ...calls("role add r", "role add r", "role add gone", "role delete gone", "role delete gone"),
  ...calls("role grant-permission r readwrite a c", "role grant-permission r write w --from-key"),
  ...calls("role grant-permission r read watched --prefix"),
  ...calls("role grant-permission r sideways a", "role grant-permission none read a"),
  ...inFormats("role get r"),
  ...inFormats("role list"),
  ...calls("role get none", "role revoke-permission r a"),
  ...calls("role revoke-permission r w --from-key", "role get r"),
  ...calls("user add u:upw", "user add u:upw", "user add nopw --no-password"),
  ...calls("user add flag --new-user-password=first"),
  { run: "user add typed --interactive=false", input: "typed\n" },
  ...calls("user grant-role u none", "user grant-role nobody r", "user grant-role u r"),
  ...calls("user grant-role flag r", "user revoke-role flag r", "user revoke-role flag r"),
  { run: "user passwd flag --interactive=false", input: "second\n" },
  ...calls("get x --user=flag:first", "get x --user=flag:second", "get x --user=typed:typed"),
  ...calls("get x --user=nopw:", "user delete flag", "user delete flag", "user delete root"),
  ...calls("user revoke-role root root", "role delete root", "get x --user=flag:second"),
  ...inFormats("user get u"),
  ...calls("user get u --detail", "user get nobody", "user list", "user list -w json"),
];

/** Other members of etcd answer "context deadline exceeded" in time, or name no leader. */
function isForTheLeader(run: string): boolean {
  return run === "move-leader 1234" || run === "member promote 1234";
}

/** Which member leads, and whose address comes first, depends on the cluster. */
function ofAnyCluster(step: Step): Step {
  const hidesMembers = step.run.startsWith("endpoint status");
  const isUnordered = step.isUnordered === true || step.run.startsWith("member list");
  return { ...step, hidesMembers, isUnordered };
}

const mirrorFlags =
  "--prefix mirror/ --dest-prefix copy/ --dest-cacert {ca} --dest-cert {cert} --dest-key {key}";
const mirror: readonly Step[] = [
  { run: "put mirror/old 1" },
  {
    run: `make-mirror ${mirrorFlags} --dest-user root:pw {first}`,
    background: { name: "mirror", ready: /^/ },
  },
  { run: "get copy/ --prefix", retryUntil: /copy\/old/ },
  ...calls("put mirror/new 2", "del mirror/old"),
  { run: "get copy/ --prefix", retryUntil: /^copy\/new\n2\n$/ },
  { run: "(interrupt make-mirror)", finish: "mirror" },
];

/** Only the leader answers some calls of etcd's. */
const findLeader: Step = {
  run: "--endpoints={endpoints} endpoint status",
  retryUntil: /, true, false/,
  capture: { name: "leader", from: /^([^,]+), \w+, [^,]+, [^,]+, true/m },
  keeps: /\[exit 0\]/,
};

const cluster: readonly Step[] = [
  { run: "endpoint health --cluster", isUnordered: true },
  { run: "member list", isUnordered: true },
  { run: "--endpoints={endpoints} endpoint status", isUnordered: true, hidesMembers: true },
  {
    run: "--endpoints={endpoints} endpoint status",
    capture: { name: "follower", from: /^[^,]+, (\w+), [^,]+, [^,]+, false/m },
    keeps: /\[exit 0\]/,
  },
  findLeader,
  { run: "--endpoints={endpoints} move-leader 1234", hidesMembers: true, keeps: /Error.*/ },
  { run: "--endpoints={leader} move-leader {follower}", hidesMembers: true },
  findLeader,
];

const watching: readonly Step[] = [
  ...calls("put watched/run 1", "lease grant 600 -w fields"),
  { run: "watch watched/run --rev 2 -- echo told", until: /told/ },
  { run: "lease grant 600", capture: { name: "held", from: /lease (\w+) granted/ } },
  { run: "lease keep-alive {held}", until: /keepalived/ },
  ...calls("put z/leased 1 --lease={held}", "put a/leased 1 --lease={held}", "put watched/1 w"),
  ...calls("put b/1 w", "put z 26"),
];

const limited: readonly Step[] = [
  ...asUser("put a 1", "get a", "get a -w json", "get a z", "get z", "put a 9 --prev-kv"),
  ...asUser("put z 9", "del a", "del a z", "put watched/1 9", "get watched --prefix", "get b c"),
  { run: `txn ${user}`, input: 'mod("b/1") > "0"\n\nget b/1\nput a x\n\n\n' },
  { run: `txn ${user}`, input: 'mod("b/1") > "0"\n\nput a x\n\nget z\n\n' },
  { run: `txn ${user}`, input: 'mod("z") > "0"\n\nput a x\n\n\n' },
  { run: `watch watched/1 --rev 2 ${user}`, until: /watched\/1\nw/ },
  { run: `watch watched/1 --rev 2 --prev-kv ${user}`, until: /watched\/1\nw/ },
  ...asUser("watch z", "watch a --from-key", "lock a/door echo in", "lock z/door echo in"),
  { run: `elect a/office me ${user}`, until: /me/ },
  ...asUser("elect z/office me", "put a/own 1 --lease={held}"),
  ...asUser("lease timetolive {held} --keys", "lease revoke {held}"),
  ...asUser("user list", "user get u", "user get root", "user add x:y", "user delete u"),
  { run: `user passwd u --interactive=false ${user}`, input: "upw\n" },
  ...asUser("user grant-role u root", "user revoke-role u r", "role get r", "role get root"),
  ...asUser("role list", "role add x", "role delete r", "role grant-permission r read z"),
  ...asUser("role revoke-permission r a c", "auth enable", "auth disable"),
  { run: `member list ${user}`, isUnordered: true },
  ...asUser("member add m9 --peer-urls=https://127.0.0.1:1", "member remove 1"),
  ...asUser("member update 1 --peer-urls=https://127.0.0.1:1", "member promote 1"),
  ...asUser("alarm disarm", "defrag", "endpoint health", "endpoint hashkv"),
  { run: `snapshot save ${inFolder("theirs.db")} ${user}` },
  ...calls("lease revoke {held}", "get z/leased"),
  ...calls("get a --user=u:wrong", "get a --user=nobody:x", "put a 1 --user=nobody:x"),
];

const backup: readonly Step[] = [
  { run: `snapshot save ${inFolder("own.db")}`, ignoresErrors: true },
  {
    run: `snapshot status ${inFolder("own.db")} -w fields`,
    keeps: /"Revision" : \d+/,
    ignoresErrors: true,
  },
  {
    run: `snapshot restore ${inFolder("own.db")} --data-dir ${inFolder("restored")}`,
    keeps: /\[exit \d+\]/,
  },
];

/** @param isCampaign with `check perf`, which takes a minute */
export function beforeJoin(isCampaign: boolean): readonly Step[] {
  return [
    ...enabling,
    ...users,
    ...oneMember.filter(({ run }) => !isForTheLeader(run)).map(ofAnyCluster),
    ...mirror,
    ...cluster,
    ...watching,
    ...limited,
    ...backup,
    { run: "check datascale --auto-compact --auto-defrag", keeps: /PASS/ },
    ...(isCampaign ? [{ run: "check perf", keeps: /Throughput/, limitMs: 90_000 }] : []),
    ...calls("member add m9 --peer-urls=nothing", "member add m9 --peer-urls={peer}"),
    {
      run: "member add m3 --learner --peer-urls={added}",
      isUnordered: true,
      capture: { name: "learner", from: /^Member +(\w+) added/ },
    },
    ...calls(
      "--endpoints={leader} member promote {learner}",
      "member update {learner} --peer-urls={peer}",
    ),
    { run: "member add m9 --learner --peer-urls=https://127.0.0.1:1" },
  ];
}

/** After the added member was started. */
export const afterJoin: readonly Step[] = [
  findLeader,
  {
    run: "member list",
    retryUntil: /, started, m3/,
    isUnordered: true,
    capture: { name: "learner", from: /^(\w+), started, m3/m },
  },
  { run: "--endpoints={leader} member promote {learner}", retryUntil: /promoted/ },
  ...calls(
    "--endpoints={leader} member promote {learner}",
    "member update {learner} --peer-urls={added}",
  ),
  { run: "member list -w fields", isUnordered: true },
  ...calls("member remove {learner}", "member remove {learner}"),
  { run: "member list", isUnordered: true },
  ...calls("user delete u", `get a ${user}`, "auth disable", "auth disable", "auth status"),
  ...calls(`get a ${user}`, "put open 1"),
];
