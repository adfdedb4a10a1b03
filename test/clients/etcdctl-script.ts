/** The etcdctl calls whose output on this server must be that on real etcd. */
import { inFolder, type Step } from "./etcdctl.js";

const FORMATS = ["simple", "json", "fields", "table"] as const;

function inFormats(run: string, formats: readonly string[] = ["simple", "json", "fields"]): Step[] {
  return formats.map((format) => ({ run: `${run} -w ${format}` }));
}

const keys: readonly Step[] = [
  ...inFormats("put greeting hello"),
  { run: "put greeting hello2 --prev-kv" },
  { run: "put from-stdin", input: "a value from standard input" },
  { run: "put greeting --ignore-value" },
  { run: "put missing --ignore-value" },
  { run: "put other value --ignore-lease" },
  { run: "put dash/1 one" },
  { run: "put dash/2 two" },
  { run: "put dash/3 three" },
  ...inFormats("get greeting"),
  ...inFormats("get dash/ --prefix"),
  { run: "get dash/ --prefix --keys-only" },
  { run: "get dash/ --prefix --count-only -w fields" },
  { run: "get dash/ --prefix --limit 2 -w json" },
  { run: "get dash/ --prefix --order DESCEND --sort-by MODIFY" },
  { run: "get dash/ --prefix --order ASCEND --sort-by VALUE --print-value-only" },
  { run: "get dash/2 dash/9" },
  { run: "get dash/2 --from-key" },
  { run: "get greeting --rev 2 -w json" },
  { run: "get greeting --rev 999" },
  { run: "get greeting --consistency s" },
  { run: "get greeting --hex" },
  { run: "get nothing -w json" },
  { run: "get" },
  ...inFormats("del dash/3 --prev-kv"),
  { run: "put dash/3 again" },
  { run: "del dash/ --prefix --prev-kv" },
  { run: "del nothing -w json" },
];

const transactions: readonly Step[] = [
  {
    run: "txn",
    input: 'mod("greeting") > "0"\n\nput greeting changed\nget greeting\n\nput failed yes\n\n',
  },
  { run: "txn", input: 'value("greeting") = "no"\n\nput x y\n\nget greeting\nput failed yes\n\n' },
  { run: "txn -w json", input: 'version("new") = "0"\n\nput new 1\n\ndel new\n\n' },
  { run: "txn -w fields", input: 'create("new") != "0"\nmod("new") > "1"\n\ndel new\n\n\n' },
  { run: "txn", input: "\n\nput twice 1\nput twice 2\n\n\n" },
];

const leases: readonly Step[] = [
  { run: "lease grant 600", capture: { name: "lease", from: /lease (\w+) granted/ } },
  { run: "lease grant 700 -w json" },
  { run: "lease grant 9000000001" },
  { run: "put leased/1 v --lease={lease}" },
  { run: "get leased/1 -w fields" },
  { run: "put leased/3 v --lease=1234" },
  { run: "lease timetolive {lease}" },
  { run: "lease timetolive {lease} --keys" },
  { run: "lease timetolive {lease} --keys -w json" },
  { run: "put leased/2 v --lease={lease}" },
  { run: "lease timetolive 1234" },
  { run: "lease list", isUnordered: true },
  { run: "lease keep-alive {lease} --once" },
  { run: "lease keep-alive 1234 --once" },
  { run: "lease revoke {lease}" },
  { run: "lease revoke {lease}" },
  { run: "get leased/ --prefix" },
];

const watches: readonly Step[] = [
  { run: "put watched/1 a" },
  { run: "put watched/2 b" },
  { run: "del watched/1" },
  { run: "put watched/end c" },
  { run: "watch watched/ --prefix --rev 1", until: /watched\/end\nc/ },
  { run: "watch watched/ --prefix --rev 1 --prev-kv", until: /watched\/end\nc/ },
  { run: "watch watched/end --rev 1 -w json", until: /Yw==/ },
  { run: "watch watched/1 --rev 1 -w fields", until: /DELETE[\s\S]*Lease.*\n/ },
  { run: "watch watched/1 watched/9 --rev 1", until: /DELETE\nwatched\/1\n\n/ },
];

const concurrency: readonly Step[] = [
  { run: "lock mutex echo held" },
  { run: "lock mutex", until: /mutex\/\w+/ },
  { run: "get mutex --prefix --keys-only" },
  { run: "elect office candidate", background: { name: "leader", ready: /candidate/ } },
  { run: "elect -l office", until: /candidate/ },
  { run: "get office --prefix" },
  { run: "(interrupt elect)", finish: "leader" },
  { run: "get office --prefix" },
];

const maintenance: readonly Step[] = [
  { run: "compaction 4" },
  { run: "compaction 4" },
  { run: "compaction 99999" },
  { run: "get greeting --rev 2" },
  { run: "watch greeting --rev 2", until: /impossible/ },
  { run: "compaction 6 --physical -w json" },
  { run: "alarm list" },
  { run: "alarm disarm" },
  { run: "defrag" },
  { run: "version" },
  ...inFormats("member list", FORMATS),
  { run: "endpoint health" },
  ...inFormats("endpoint health", ["json", "table"]),
  ...inFormats("endpoint status", FORMATS),
  ...inFormats("endpoint hashkv", FORMATS),
  { run: `snapshot save ${inFolder("backup.db")}`, ignoresErrors: true },
  { run: "member remove 1234" },
  { run: "member add bad --peer-urls=nonsense" },
  { run: "member update 1234 --peer-urls=http://127.0.0.1:1" },
  { run: "member promote 1234" },
  { run: "move-leader 1234" },
];

export const oneMember: readonly Step[] = [
  ...keys,
  ...transactions,
  ...leases,
  ...watches,
  ...concurrency,
  ...maintenance,
];

export const threeMembers: readonly Step[] = [
  { run: "--endpoints={endpoints} put a 1" },
  { run: "--endpoints={endpoints} get a" },
  { run: "member list -w simple", isUnordered: true },
  { run: "member list -w table", isUnordered: true },
  { run: "endpoint health --cluster", isUnordered: true },
  { run: "endpoint hashkv --cluster", isUnordered: true },
  { run: "--endpoints={endpoints} endpoint status -w table" },
  { run: "--endpoints={endpoints} alarm list" },
  { run: "--endpoints={endpoints} defrag", isUnordered: true },
];
