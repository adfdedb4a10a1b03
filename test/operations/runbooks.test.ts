/**
 * The pages of docs/operations against clusters that are broken in the way each page is about: every
 * command on them is run as it stands there, and must show and do what the page says.
 */
import {
  closeSync,
  cpSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { endOfData, newestSegment } from "../../src/cli/stage/file-damage.js";
import { AlarmRequest_AlarmAction as Action, AlarmType } from "../../src/wire/gen/rpc.js";
import { refusedStart } from "../bad-input/refusal.js";
import { bytes } from "../support/client.js";
import { Cluster, type ClusterMember } from "../support/cluster.js";
import { isMissing } from "../support/server-kind.js";
import { Runbook, runbookFolder } from "./runbook.js";

const timeoutMs = 240_000;
const corrupt = /etcdserver: corrupt cluster/;
const clusters: Cluster[] = [];
afterEach(async () => {
  await Promise.all(clusters.splice(0).map((cluster) => cluster.dispose()));
});

async function start(size: number, flags: readonly string[] = []): Promise<Cluster> {
  const cluster = await Cluster.start({ kind: "lockstep", size, flags });
  clusters.push(cluster);
  return cluster;
}

async function write(member: ClusterMember, count: number): Promise<void> {
  for (let at = 0; at < count; at++) await put(member, `key-${at}`, `value-${at}-of-this-test`);
}

async function put(member: ClusterMember, key: string, value: string): Promise<void> {
  await member.client.put({ key: bytes(key), value: bytes(value) });
}

async function idOf(member: ClusterMember): Promise<bigint> {
  return (await member.client.status({})).header?.member_id ?? 0n;
}

/** A page for this cluster; `about` is the member that it is about. */
async function open(page: string, cluster: Cluster, about: ClusterMember): Promise<Runbook> {
  const runbook = new Runbook(page, cluster.folder);
  const id = about.isRunning ? await idOf(about) : 0n;
  Object.assign(runbook.env, {
    ENDPOINTS: cluster.endpoints.join(","),
    NAME: about.name,
    MEMBER: id.toString(16),
    PEER_URL: about.peerUrl,
    DATA_DIR: about.dataDir,
  });
  return runbook;
}

/** One bit of a value changes wherever it stands in a stopped member's backend. */
function flipValue(member: ClusterMember, text: string): void {
  const name = readFileSync(join(member.dataDir, "backend.current"), "utf8").trim();
  const path = join(member.dataDir, "backends", `${name}.mdb`);
  const content = readFileSync(path);
  let at = content.indexOf(text);
  expect(at).toBeGreaterThan(0);
  for (; at >= 0; at = content.indexOf(text, at)) content[at] = (content[at] ?? 0) ^ 1;
  writeFileSync(path, content);
}

function flipInLog(member: ClusterMember): void {
  const file = openSync(newestSegment(member.dataDir), "r+");
  const at = Math.floor(endOfData(file) / 2);
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, at);
  byte[0] = (byte[0] ?? 0) ^ 0x10;
  writeSync(file, byte, 0, 1, at);
  closeSync(file);
}

/** All steps of a page were run. */
function finished(...runbooks: readonly Runbook[]): void {
  expect(runbooks.flatMap((runbook) => runbook.left())).toEqual([]);
}

describe.skipIf(isMissing("lockstep"))("runbooks", () => {
  test(
    "one member is contained, stays in quarantine while another is down, and heals",
    async () => {
      const cluster = await start(3);
      const [first, down, wrong] = cluster.members as [ClusterMember, ClusterMember, ClusterMember];
      const contained = await open("corrupt-member.md", cluster, wrong);
      const stays = await open("quarantine-stays.md", cluster, wrong);
      const decimal = await idOf(wrong);
      await write(first, 20);
      await wrong.stop();
      await down.stop();
      flipValue(wrong, "value-7-of");
      await wrong.start();
      await cluster.leader();

      const looked = await contained.until("look", /alarm:CORRUPT/);
      expect(looked.text).toContain(`memberID:${decimal} alarm:CORRUPT`);
      const lines = looked.text.split("\n");
      expect(lines.find((line) => line.startsWith(wrong.endpoint))).toMatch(/, true$/);
      expect(lines.find((line) => line.startsWith(first.endpoint))).toMatch(/, false$/);
      const key = bytes("key-7");
      await expect(wrong.client.range({ key, serializable: true })).rejects.toThrow(corrupt);
      await put(first, "meanwhile", "served");

      const why = await stays.run("why");
      expect(why.text).toMatch(/IN QUARANTINE since .*/);
      expect(why.text).toMatch(
        /could not heal yet: step (confirm the state|ask a member for its state)/,
      );
      const who = await stays.run("who");
      expect(who.code).not.toBe(0);
      expect(who.text).toContain(`Failed to get the integrity of endpoint ${down.endpoint} `);
      await down.start();
      await stays.until("healed");

      expect((await wrong.client.range({ key })).kvs[0]?.value.toString()).toBe(
        "value-7-of-this-test",
      );
      const explained = await contained.until("explain", /damaged: key "key-7"/);
      expect(explained.text).toMatch(/over after \d+\.\d+s/);
      expect((await contained.run("keep")).code).toBe(0);
      const kept = JSON.parse(
        readFileSync(join(contained.env.ASIDE ?? "", "integrity.json"), "utf8"),
      );
      expect(kept).toHaveLength(3);
      const own = kept.find(({ name }: { name: string }) => name === wrong.name);
      expect(own.incidents[0].steps.map(({ kind }: { kind: string }) => kind)).toEqual(
        expect.arrayContaining(["quarantined", "healing", "adopted", "cleared", "ended", "rows"]),
      );
      await contained.until("healed");
      expect((await contained.run("look")).text).not.toContain("CORRUPT");
      finished(contained, stays);
    },
    timeoutMs,
  );

  test(
    "the whole cluster is stopped, one member is made to fetch the state, the alarm ended",
    async () => {
      const cluster = await start(2);
      const [right, wrong] = cluster.members as [ClusterMember, ClusterMember];
      await write(right, 20);
      const runbook = await open("corrupt-cluster.md", cluster, wrong);
      await right.client.alarm({ action: Action.ACTIVATE, memberID: 0n, alarm: AlarmType.CORRUPT });
      const key = bytes("key-7");
      await expect(right.client.range({ key })).rejects.toThrow(corrupt);
      await expect(put(right, "a", "b")).rejects.toThrow(corrupt);

      expect((await runbook.run("look")).text).toContain("memberID:0 alarm:CORRUPT");
      const kept = await runbook.run("keep");
      expect(kept.code).toBe(0);
      expect(kept.text).toContain("Alarm CORRUPT of the whole cluster");
      const hashes = await runbook.run("compare");
      expect(hashes.code).toBe(0);
      expect(
        new Set(
          hashes.text
            .trim()
            .split("\n")
            .map((line) => line.split(", ")[1]),
        ).size,
      ).toBe(1);
      await wrong.stop();
      expect((await runbook.run("copy")).code).toBe(0);
      expect((await runbook.run("take")).code).toBe(0);
      await wrong.start();
      await cluster.leader();
      // Both are equal again, and the alarm stands until somebody says otherwise.
      await expect
        .poll(async () => (await runbook.run("look")).text, { timeout: 30_000 })
        .not.toMatch(/true$/m);
      expect((await runbook.run("look")).text).toContain("memberID:0 alarm:CORRUPT");
      await runbook.until("disarm", /memberID:0 alarm:CORRUPT/);
      await runbook.until("over");
      expect((await wrong.client.range({ key, serializable: true })).count).toBe(1n);
      await put(wrong, "a", "b");
      finished(runbook);
    },
    timeoutMs,
  );

  test(
    "a full store is compacted, given back, and writes again",
    async () => {
      const cluster = await start(3, ["--quota-backend-bytes=2097152"]);
      const { first } = cluster;
      const runbook = await open("nospace.md", cluster, first);
      const filled = async (): Promise<unknown> => {
        for (let at = 0; at < 500; at++) await put(first, "same", `${at}-`.repeat(5_000));
        return undefined;
      };
      await expect(filled()).rejects.toThrow(/database space exceeded/);
      expect((await runbook.until("look", /alarm:NOSPACE/)).text).toContain("DB SIZE");
      expect((await runbook.run("compact")).text).toMatch(/compacted revision \d+/);
      await expect(put(first, "small", "still refused")).rejects.toThrow(/database space exceeded/);
      const given = await runbook.run("defragment");
      expect(given.text.match(/Finished defragmenting/g)).toHaveLength(3);
      await runbook.until("ended");
      await put(first, "small", "taken");
      expect((await runbook.run("look")).text).not.toContain("NOSPACE");
      expect((await runbook.run("disarm")).text).toBe("");
      finished(runbook);
    },
    timeoutMs,
  );

  test(
    "a member whose log is lost or damaged does not start, and is replaced",
    async () => {
      const cluster = await start(3);
      const [first, , broken] = cluster.members as [ClusterMember, ClusterMember, ClusterMember];
      await write(first, 50);
      const runbook = await open("refuses-to-start.md", cluster, broken);
      const { MEMBER, ASIDE = "" } = runbook.env;
      await broken.stop();
      renameSync(join(broken.dataDir, "wal"), join(ASIDE, "wal"));
      expect((await refusedStart(broken)).log).toMatch(/there is no write-ahead log/);
      rmSync(join(broken.dataDir, "wal"), { recursive: true, force: true });
      renameSync(join(ASIDE, "wal"), join(broken.dataDir, "wal"));
      flipInLog(broken);
      expect((await refusedStart(broken)).log).toMatch(/\.wal: offset \d+: .+\. Restore the file/);

      const which = (await runbook.run("which")).text.split("\n");
      expect(which.find((line) => line.includes(`${MEMBER},`))).toContain(broken.name);
      expect((await runbook.run("remove")).text).toMatch(/removed from cluster/);
      expect((await runbook.run("aside")).code).toBe(0);
      expect(readdirSync(join(ASIDE, `${broken.name}.damaged`))).toContain("backend.current");
      const added = await runbook.run("add");
      expect(added.text).toContain('ETCD_INITIAL_CLUSTER_STATE="existing"');
      broken.plan.initialState = "existing";
      broken.plan.initialCluster = /ETCD_INITIAL_CLUSTER="(.*)"/.exec(added.text)?.[1] ?? "";
      await broken.start();
      await runbook.until("joined");
      const read = { key: bytes("key-7"), serializable: true };
      expect((await broken.client.range(read)).count).toBe(1n);
      expect(runbook.left()).toEqual(["backup", "putback"]);
    },
    timeoutMs,
  );

  test(
    "a member without its data directory is refused while the leader is down, and replaced after",
    async () => {
      const cluster = await start(3);
      const leader = await cluster.leader();
      const [lost, laggard] = cluster.members.filter((member) => member !== leader) as [
        ClusterMember,
        ClusterMember,
      ];
      const runbook = await open("lost-data-directory.md", cluster, lost);
      laggard.process.pause();
      await write(leader, 20);
      await leader.kill();
      await lost.kill();
      rmSync(lost.dataDir, { recursive: true });
      laggard.process.resume();
      lost.plan.initialState = "existing";
      expect((await refusedStart(lost)).log).toContain(
        `member ${runbook.env.MEMBER} has already been bootstrapped and lost its data`,
      );
      expect((await runbook.run("look")).code).toBe(1);
      await leader.start();
      await runbook.until("writes");
      expect((await runbook.run("remove")).text).toMatch(/removed from cluster/);
      expect((await runbook.run("aside")).code).toBe(0);
      const added = await runbook.run("add");
      lost.plan.initialCluster = /ETCD_INITIAL_CLUSTER="(.*)"/.exec(added.text)?.[1] ?? "";
      await lost.start();
      await runbook.until("joined");
      const read = { key: bytes("key-19"), serializable: true };
      expect((await lost.client.range(read)).count).toBe(1n);
      finished(runbook);
    },
    timeoutMs,
  );

  test(
    "a single member with a damaged state answers nothing, and starts from its copy",
    async () => {
      const cluster = await start(1);
      const { first } = cluster;
      const runbook = await open("refuses-to-start.md", cluster, first);
      await write(first, 20);
      await first.stop();
      expect((await runbook.run("backup")).code).toBe(0);
      flipValue(first, "value-7-of");
      const { log } = await refusedStart(first);
      expect(log).toMatch(/fails its check value/);
      expect((await runbook.run("putback")).code).toBe(0);
      await first.start();
      const { kvs } = await first.client.range({ key: bytes("key-7") });
      expect(kvs[0]?.value.toString()).toBe("value-7-of-this-test");
    },
    timeoutMs,
  );

  test(
    "the others lost entries: the member that has them is taken out and added anew",
    async () => {
      const cluster = await start(3);
      const ahead = await cluster.leader();
      const others = cluster.members.filter((member) => member !== ahead);
      await put(ahead, "before", "1");
      await Promise.all(cluster.members.map((member) => member.stop()));
      for (const { dataDir } of others) cpSync(dataDir, `${dataDir}.copy`, { recursive: true });
      await Promise.all(cluster.members.map((member) => member.start()));
      // More than the others come to before it is back.
      for (let at = 0; at < 100; at++) await put(ahead, `lost-${at}`, "x");
      const runbook = await open("lost-entries.md", cluster, ahead);
      const { ASIDE = "" } = runbook.env;
      await Promise.all(cluster.members.map((member) => member.stop()));
      for (const { dataDir } of others) {
        rmSync(dataDir, { recursive: true });
        renameSync(`${dataDir}.copy`, dataDir);
      }
      await Promise.all(others.map((member) => member.start()));
      await put(others[0] as ClusterMember, "new", "2");
      await ahead.start();

      // The entries are named when their file is on the disk, which is after the alarm.
      const told =
        /alarm:CORRUPT[\s\S]*ENTRIES LOST BY THE OTHERS[\s\S]*diverged[\s\S]*put "lost-99"/;
      await runbook.until("look", told);
      expect((await runbook.run("keep")).code).toBe(0);
      expect(readdirSync(join(ASIDE, `${ahead.name}.ahead`))).toContain("lost-entries");
      await runbook.until("remove", /removed from cluster/);
      await ahead.stop();
      const added = await runbook.run("add");
      ahead.plan.initialState = "existing";
      ahead.plan.initialCluster = /ETCD_INITIAL_CLUSTER="(.*)"/.exec(added.text)?.[1] ?? "";
      await ahead.start();
      await runbook.until("joined");
      expect((await ahead.client.range({ key: bytes("new") })).count).toBe(1n);
      expect((await runbook.run("look")).text).not.toContain("CORRUPT");
      finished(runbook);
    },
    timeoutMs,
  );

  test(
    "a digest that is wrong: the members agree, and a restart proves it",
    async () => {
      const cluster = await start(3);
      const [first, , doubted] = cluster.members as [ClusterMember, ClusterMember, ClusterMember];
      const runbook = await open("digest-alarm.md", cluster, doubted);
      await write(first, 20);
      await runbook.until("look");
      const hashes = await runbook.run("compare");
      expect(
        new Set(
          hashes.text
            .trim()
            .split("\n")
            .map((line) => line.split(", ")[1]),
        ).size,
      ).toBe(1);
      await doubted.restart();
      expect((await runbook.until("restarted")).text).toContain("No incidents.");
      finished(runbook);
    },
    timeoutMs,
  );
});

test("every page is named in the overview, and its commands have names", () => {
  const pages = readdirSync(runbookFolder).filter((name) => /^(?!README).*\.md$/.test(name));
  const overview = readFileSync(join(runbookFolder, "README.md"), "utf8");
  for (const page of pages) expect(overview).toContain(`(${page})`);
});
