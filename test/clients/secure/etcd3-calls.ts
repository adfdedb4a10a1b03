/** What a program does with npm etcd3, as root and as a user with few rights: each call and its answer. */
import { Etcd3, type IKeyValue, type IOptions, Range } from "etcd3";

export type Answer = readonly [call: string, answer: unknown];
/** Builders of the client are promises in disguise. */
type Note = (call: string, ask: () => unknown) => Promise<void>;

/** Logs in as root and as "u", who gets rights on a/ and to read "read". */
export async function etcd3Calls(options: IOptions): Promise<readonly Answer[]> {
  const answers: Answer[] = [];
  const note: Note = async (call, ask) => {
    answers.push([call, await answerOf(ask)]);
  };
  const clients: Etcd3[] = [];
  const connect = (username: string, password: string): Etcd3 => {
    const client = new Etcd3({ ...options, auth: { username, password } });
    clients.push(client);
    return client;
  };
  try {
    const root = connect("root", "pw");
    await users(note, root);
    await keys(note, root);
    await leases(note, root);
    await concurrency(note, root);
    await watches(note, root);
    const user = connect("u", "upw");
    await limited(note, user);
    await note("a wrong password", () => connect("u", "wrong").get("read"));
    await note("an unknown user", () => connect("nobody", "x").get("read"));
    const nameless = new Etcd3(options);
    clients.push(nameless);
    await note("no login", () => nameless.get("read"));
    await endOfRights(note, root, user);
  } finally {
    for (const client of clients) client.close();
  }
  return answers;
}

async function answerOf(ask: () => unknown): Promise<unknown> {
  try {
    return plain(await ask());
  } catch (error) {
    const known = error as Error;
    return `${known.constructor.name}: ${known.message.replace(/\d{15,}/, "-")}`;
  }
}

/** Without what two right clusters answer differently; buffers as text. */
function plain(value: unknown): unknown {
  const hidden = new Set(["cluster_id", "member_id", "raft_term", "ID", "lease", "client"]);
  const text = JSON.stringify(value ?? null, (name, inner) => {
    if (hidden.has(name)) return "-";
    const isBuffer = inner?.type === "Buffer" && Array.isArray(inner.data);
    return isBuffer ? Buffer.from(inner.data).toString() : inner;
  });
  return JSON.parse(text);
}

function names(all: readonly { readonly name: string }[]): readonly string[] {
  return all.map(({ name }) => name);
}

async function users(note: Note, root: Etcd3): Promise<void> {
  const role = root.role("r");
  await note("create a role", async () => (await role.create()).name);
  await note("create it again", () => role.create());
  await note("grant", async () => {
    await role.grant({ permission: "Readwrite", range: Range.prefix("a/") });
    await role.grant({ permission: "Read", key: "read" });
  });
  await note("permissions", () => role.permissions());
  await note("permissions of none", () => root.role("none").permissions());
  const user = root.user("u");
  await note("create a user", async () => (await user.create("upw")).name);
  await note("create it again", () => user.create("upw"));
  await note("give a role", async () => (await user.addRole("r")).name);
  await note("give a role that is not", () => user.addRole("none"));
  await note("roles of the user", async () => names(await user.roles()));
  await note("all users", async () => names(await root.getUsers()));
  await note("all roles", async () => names(await root.getRoles()));
  await note("roles of nobody", () => root.user("nobody").roles());
  await note("take a role that was not given", () => user.removeRole("root"));
}

async function keys(note: Note, root: Etcd3): Promise<void> {
  const space = root.namespace("a/");
  await note("put", () => space.put("one").value("1"));
  await note("put and get the previous", () => space.put("one").value("11").getPrevious());
  await note("put a number", () => space.put("two").value(2));
  await note("touch", () => space.put("one").touch());
  await note("ignore the value of none", () => space.put("none").touch());
  await note("get as text", () => space.get("one").string());
  await note("get as number", () => space.get("two").number());
  await note("get nothing", () => space.get("absent").string());
  await note("exists", () => space.get("one").exists());
  await note("get as it came", () => root.get("a/one").exec());
  await note("at a revision", () => space.get("one").revision(2).string());
  await note("at a revision to come", () => space.get("one").revision(999).string());
  await note("all", () => space.getAll().strings());
  await note("sorted", () => space.getAll().sort("Value", "Descend").limit(1).keys());
  await note("counted", () => root.getAll().prefix("a/").count());
  await note("a range", () => root.getAll().inRange({ start: "a/o", end: "a/p" }).numbers());
  await note("serializable", () => space.get("one").serializable(true).string());
  await note("delete", () => space.delete().key("two"));
  await note("delete and get the previous", () => space.delete().key("one").getPrevious());
  await note("put for others", () => root.put("read").value("may be read"));
  await note("put for nobody", () => root.put("secret").value("hidden"));
  await note("a transaction that holds", () =>
    root.if("read", "Version", "==", 1).then(root.get("read")).else(root.get("secret")).commit(),
  );
  await note("one that does not", () =>
    root
      .if("read", "Value", "==", "no")
      .and("read", "Mod", ">", 0)
      .then(root.delete().key("read"))
      .else(root.put("a/else").value("1"), root.get("secret"))
      .commit(),
  );
  await note("a put twice in one", () =>
    root
      .if("read", "Create", ">", 0)
      .then(root.put("a/x").value(1), root.put("a/x").value(2))
      .commit(),
  );
  await note("compaction", () => root.kv.compact({ revision: "4" }));
  await note("compaction again", () => root.kv.compact({ revision: "4" }));
  await note("get what was compacted", () => space.get("one").revision(2).string());
}

async function leases(note: Note, root: Etcd3): Promise<void> {
  const lease = root.lease(600, { autoKeepAlive: false });
  await note("put with a lease", () => lease.put("a/leased").value("here"));
  await note("put hidden with a lease", () => lease.put("secret/leased").value("here"));
  await note("keys of the lease", async () => {
    const { keys: held, grantedTTL } = await root.leaseClient.leaseTimeToLive({
      ID: await lease.grant(),
      keys: true,
    });
    return { held: held.map(String).sort(), grantedTTL };
  });
  await note("keep alive", async () => (await lease.keepaliveOnce()).TTL);
  await note("revoke", () => lease.revoke());
  await note("gone with it", () => root.getAll().prefix("a/lea").strings());
  await note("keep alive what is gone", () => lease.keepaliveOnce());
}

async function concurrency(note: Note, root: Etcd3): Promise<void> {
  const space = root.namespace("a/");
  const lock = space.lock("door");
  await note("lock", async () => void (await lock.acquire()));
  await note("locked already", () => space.lock("door").acquire());
  await note("release", async () => void (await lock.release()));
  await note("lock for a piece of work", () => space.lock("door").do(async () => "done"));
  const election = space.election("office", 60);
  const campaign = election.campaign("first");
  await note("elected", () => new Promise<void>((resolve) => campaign.once("elected", resolve)));
  await note("leader", () => election.leader());
  await note("proclaim", () => campaign.proclaim("still first"));
  await note("leader again", () => election.leader());
  await note("resign", () => campaign.resign());
  await note("no leader", () => election.leader());
  await note("transactional memory", async () => {
    await space.put("counter").value(0);
    await space.stm().transact(async (memory) => {
      await memory.put("counter").value(Number(await memory.get("counter").number()) + 1);
    });
    return space.get("counter").number();
  });
}

async function watches(note: Note, root: Etcd3): Promise<void> {
  const space = root.namespace("a/");
  await note("watch", async () => {
    const watcher = await space.watch().prefix("watched/").withPreviousKV().create();
    const seen: unknown[] = [];
    const ended = new Promise<void>((resolve) => {
      watcher.on("put", (kv: IKeyValue, previous?: IKeyValue) => {
        seen.push([String(kv.key), String(kv.value), String(previous?.value ?? "")]);
      });
      watcher.on("delete", (kv: IKeyValue, previous?: IKeyValue) => {
        seen.push([String(kv.key), "deleted", String(previous?.value ?? "")]);
        resolve();
      });
    });
    await space.put("watched/1").value("one");
    await space.put("other").value("not watched");
    await space.put("watched/1").value("two");
    await space.delete().key("watched/1");
    await ended;
    await watcher.cancel();
    return seen;
  });
}

/** The rights of "u" end at a/ and "read". */
async function limited(note: Note, user: Etcd3): Promise<void> {
  const space = user.namespace("a/");
  await note("u: read", () => user.get("read").string());
  await note("u: write what it may read", () => user.put("read").value("no"));
  await note("u: read what it may not", () => user.get("secret").string());
  await note("u: read all", () => user.getAll().strings());
  await note("u: put", () => space.put("own").value("1"));
  await note("u: delete all", () => user.delete().all());
  await note("u: delete", () => space.delete().key("own"));
  await note("u: a transaction within", () =>
    user.if("read", "Version", ">", 0).then(user.put("a/t").value("1")).commit(),
  );
  await note("u: a transaction that looks beyond", () =>
    user.if("secret", "Version", ">", 0).then(user.put("a/t").value("1")).commit(),
  );
  await note("u: a transaction that may write beyond", () =>
    user.if("read", "Version", ">", 0).else(user.put("secret").value("1")).commit(),
  );
  await note("u: lock", () => space.lock("own-door").do(async () => "done"));
  await note("u: lock beyond", () => user.lock("door").acquire());
  await note("u: put with a lease", async () => {
    const lease = user.lease(60, { autoKeepAlive: false });
    await lease.put("a/leased").value("1");
    await lease.revoke();
  });
  await note("u: users", () => user.getUsers());
  await note("u: create a role", () => user.role("x").create());
  await note("u: give itself root", () => user.user("u").addRole("root"));
  await note("u: own roles", async () => names(await user.user("u").roles()));
  await note("u: roles of root", () => user.user("root").roles());
  await note("u: members", async () => {
    const { members } = await user.cluster.memberList({ linearizable: true });
    return members.map(({ name }) => name).sort();
  });
  await note("u: remove a member", () => user.cluster.memberRemove({ ID: "1" }));
  await note("u: auth off", () => user.auth.authDisable());
}

async function endOfRights(note: Note, root: Etcd3, user: Etcd3): Promise<void> {
  const role = root.role("r");
  await note("revoke a right", async () => {
    await role.revoke({ permission: "Read", key: "read" });
  });
  await note("u: read no more", () => user.get("read").string());
  await note("revoke it again", () => role.revoke({ permission: "Read", key: "read" }));
  await note("another password", async () => {
    await root.user("u").setPassword("new");
  });
  await note("take the role", async () => (await root.user("u").removeRole("r")).name);
  await note("delete the role", () => role.delete());
  await note("delete it again", () => role.delete());
  await note("delete the user", () => root.user("u").delete());
  await note("delete root", () => root.user("root").delete());
  await note("auth off", () => root.auth.authDisable());
  await note("get what is left", () => root.getAll().keys());
}
