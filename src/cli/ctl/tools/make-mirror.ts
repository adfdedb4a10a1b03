/**
 * The command make-mirror: copies keys to another cluster, and then every change, until it is
 * interrupted. First it copies the keys as of one revision, in pages; then it watches from the next
 * revision on. The changes of one revision stay together in one transaction, up to --max-txn-ops of
 * them.
 *
 * Keys that exist only at the destination stay. Leases are not copied. As in etcdctl, with --rev it
 * starts with the changes from there.
 */
import { prefixEnd } from "../../../base/bytes.js";
import type { Event } from "../../../wire/gen/kv.js";
import { type RequestOp, WatchCreateRequest } from "../../../wire/gen/rpc.js";
import { tlsFlags, tlsOf } from "../../endpoint-tls.js";
import { askPassword, splitUser } from "../auth/password.js";
import { ConnectionLost, CtlClient } from "../client.js";
import { type Command, type Context, print } from "../context.js";
import { CtlError, Exit, Flags, parseDuration } from "../flags.js";
import { complete, methods } from "../method.js";

const pageKeys = 1_000n;
const tellEveryMs = 30_000;
const reopenMs = 500;
const zero = Buffer.from([0]);

class Mirror {
  readonly #from: CtlClient;
  readonly #to: CtlClient;
  readonly #range: { readonly key: Buffer; readonly range_end: Buffer };
  readonly #opsMax: number;
  readonly #target: (key: Uint8Array) => Buffer;
  mirrored = 0;

  constructor(context: Context, to: CtlClient) {
    const { flags } = context;
    const prefix = Buffer.from(flags.text("prefix"));
    this.#from = context.client;
    this.#to = to;
    this.#range =
      prefix.length === 0
        ? { key: zero, range_end: zero }
        : { key: prefix, range_end: Buffer.from(prefixEnd(prefix)) };
    this.#opsMax = Number(flags.integer("max-txn-ops"));
    if (this.#opsMax < 1) throw new CtlError("--max-txn-ops must be above 0", Exit.badArgs);
    this.#target = targetOf(flags, prefix);
  }

  /** Copies all keys as of one revision, which it returns. */
  async copyAll(): Promise<bigint> {
    let revision = 0n;
    let { key } = this.#range;
    for (;;) {
      const fields = { ...this.#range, key, limit: pageKeys, revision };
      const answer = await this.#from.call(methods.range, fields);
      if (revision === 0n) revision = answer.header?.revision ?? 0n;
      for (const kv of answer.kvs) {
        await this.#to.call(methods.put, { key: this.#target(kv.key), value: kv.value });
        this.mirrored++;
      }
      const last = answer.kvs.at(-1);
      if (!answer.more || last === undefined) return revision;
      key = Buffer.concat([last.key, zero]);
    }
  }

  /** Copies every change from this revision on. Ends only with an error. */
  async follow(start: bigint): Promise<never> {
    let next = start;
    for (;;) {
      try {
        for await (const answer of this.#from.stream(methods.watch, this.#creation(next))) {
          if (answer.compact_revision > 0n) {
            throw new CtlError(
              `etcdserver: mvcc: required revision has been compacted: changes from ${next} on are gone, start again without --rev`,
            );
          }
          if (answer.canceled) throw new CtlError(answer.cancel_reason, Exit.interrupted);
          next = (await this.#apply(answer.events)) ?? next;
        }
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, reopenMs));
    }
  }

  #creation(start_revision: bigint) {
    const value = complete(WatchCreateRequest, { ...this.#range, start_revision });
    return { request_union: { $case: "create_request", value } } as const;
  }

  /** Returns the revision behind the last event. */
  async #apply(events: readonly Event[]): Promise<bigint | undefined> {
    let ops: RequestOp[] = [];
    let revision: bigint | undefined;
    for (const event of events) {
      const { kv } = event;
      if (kv === undefined) continue;
      const isNext = revision !== undefined && kv.mod_revision !== revision;
      if (ops.length > 0 && (isNext || ops.length >= this.#opsMax)) {
        await this.#write(ops);
        ops = [];
      }
      revision = kv.mod_revision;
      ops.push(opOf(event, this.#target(kv.key)));
      this.mirrored++;
    }
    if (ops.length > 0) await this.#write(ops);
    return revision === undefined ? undefined : revision + 1n;
  }

  async #write(success: RequestOp[]): Promise<void> {
    await this.#to.call(methods.txn, { success });
  }
}

function opOf({ type, kv }: Event, key: Buffer): RequestOp {
  if (type === 1) {
    const value = complete(methods.deleteRange.request, { key });
    return { request: { $case: "request_delete_range", value } };
  }
  const value = complete(methods.put.request, { key, value: kv?.value ?? Buffer.alloc(0) });
  return { request: { $case: "request_put", value } };
}

/** The key at the destination: under another prefix, under none, or the same. */
function targetOf(flags: Flags, prefix: Buffer): (key: Uint8Array) => Buffer {
  const isBare = flags.isOn("no-dest-prefix");
  const wanted = Buffer.from(flags.text("dest-prefix"));
  if (isBare && wanted.length > 0) {
    throw new CtlError(
      "`--dest-prefix` and `--no-dest-prefix` cannot be set at the same time, choose one",
      Exit.badArgs,
    );
  }
  if (!isBare && wanted.length === 0) return (key) => Buffer.from(key);
  return (key) => Buffer.concat([wanted, key.subarray(prefix.length)]);
}

async function destination({ args, flags }: Context): Promise<CtlClient> {
  const [given] = args;
  if (args.length !== 1 || given === undefined) {
    throw new CtlError("make-mirror takes one destination argument", Exit.badArgs);
  }
  const own = new Map<string, string | boolean>(
    ["cacert", "cert", "key"].map((name) => [name, flags.text(`dest-${name}`)]),
  );
  const isSecure = !flags.isOn("dest-insecure-transport");
  const endpoints = given
    .split(",")
    .map((endpoint) => (isSecure && !endpoint.includes(":/") ? `https://${endpoint}` : endpoint));
  const commandMs = parseDuration("command-timeout", flags.text("command-timeout"));
  const text = flags.text("dest-user");
  const { name, password } = splitUser(text);
  const secret = flags.text("dest-password") || password;
  return new CtlClient(
    endpoints,
    { commandMs, dialMs: commandMs },
    {
      tls: tlsOf(new Flags(new Map([...Object.entries(tlsFlags), ...own]), new Set())),
      user:
        text === ""
          ? undefined
          : { name, password: secret ?? (await askPassword("Destination Password: ")) },
    },
  );
}

async function makeMirror(context: Context): Promise<never> {
  const to = await destination(context);
  const rev = context.flags.integer("rev");
  const mirror = new Mirror(context, to);
  const ticker = setInterval(() => print(`${mirror.mirrored}\n`), tellEveryMs);
  try {
    const from = rev > 0n ? rev : (await mirror.copyAll()) + 1n;
    return await mirror.follow(from);
  } finally {
    clearInterval(ticker);
    to.close();
  }
}

export const mirrorCommands: Readonly<Record<string, Command>> = {
  "make-mirror": {
    about: "[options] <destination>: copies keys and then every change to another cluster",
    flags: {
      ...{ prefix: "", rev: "0", "max-txn-ops": "128" },
      ...{ "dest-prefix": "", "no-dest-prefix": false },
      ...{ "dest-cacert": "", "dest-cert": "", "dest-key": "", "dest-insecure-transport": true },
      ...{ "dest-user": "", "dest-password": "" },
    },
    run: makeMirror,
  },
};
