/**
 * The commands lock and elect. They use a lease of this process, renewed as long as it lives, and
 * the server's lock and election services. With a command, lock runs it while it holds the lock.
 * Otherwise it prints the key and holds the lock until it is interrupted.
 */
import { spawn } from "node:child_process";
import {
  CampaignRequest,
  CampaignResponse,
  LeaderRequest,
  LeaderResponse,
  ResignRequest,
  ResignResponse,
} from "../../../wire/gen/election.js";
import { LockRequest, LockResponse } from "../../../wire/gen/lock.js";
import type { CtlClient } from "../client.js";
import {
  type Command,
  type Context,
  headerFields,
  keyValueFields,
  print,
  show,
} from "../context.js";
import { CtlError, Exit, parseInteger } from "../flags.js";
import type { ClientMethod } from "../method.js";
import { methods } from "../method.js";
import { message, quoted, shownBytes } from "../print-values.js";

const lockMethod: ClientMethod<LockRequest, LockResponse> = {
  ...{ path: "/v3lockpb.Lock/Lock", request: LockRequest, response: LockResponse },
};
const election = "/v3electionpb.Election";
const campaignMethod: ClientMethod<CampaignRequest, CampaignResponse> = {
  ...{ path: `${election}/Campaign`, request: CampaignRequest, response: CampaignResponse },
};
const resignMethod: ClientMethod<ResignRequest, ResignResponse> = {
  ...{ path: `${election}/Resign`, request: ResignRequest, response: ResignResponse },
};
const observeMethod: ClientMethod<LeaderRequest, LeaderResponse> = {
  ...{ path: `${election}/Observe`, request: LeaderRequest, response: LeaderResponse },
};
const electionTtlSeconds = 60n;

interface Session {
  readonly lease: bigint;
  /** Rejects when the lease is lost. */
  readonly lost: Promise<never>;
  end(): Promise<void>;
}

async function openSession(client: CtlClient, ttl: bigint): Promise<Session> {
  const { ID: lease, TTL } = await client.call(methods.grant, { TTL: ttl });
  let timer: NodeJS.Timeout | undefined;
  const lost = new Promise<never>((_, reject) => {
    const renew = async (): Promise<void> => {
      for await (const answer of client.stream(methods.keepAlive, { ID: lease })) {
        if (answer.TTL <= 0n) throw new CtlError("the lease of the session ended");
        return;
      }
    };
    const beat = (): void => {
      renew().catch(reject);
    };
    timer = setInterval(beat, (Number(TTL) * 1_000) / 3);
  });
  // A caller that waits for the session gets the error. There may be no such caller yet.
  lost.catch(() => {});
  return {
    lease,
    lost,
    end: async () => {
      clearInterval(timer);
      await client.call(methods.revoke, { ID: lease });
    },
  };
}

/** Resolves at SIGINT or SIGTERM. */
function interrupted(): { readonly signal: Promise<void>; end(): void } {
  let stop = (): void => {};
  const signal = new Promise<void>((resolve) => {
    stop = resolve;
  });
  process.once("SIGINT", stop).once("SIGTERM", stop);
  return { signal, end: () => process.off("SIGINT", stop).off("SIGTERM", stop) };
}

async function lock(context: Context): Promise<number> {
  const { args, client, flags } = context;
  const [name, ...command] = args;
  if (name === undefined) {
    throw new CtlError("lock takes one lock name argument and an optional command", Exit.badArgs);
  }
  const ttl = parseInteger(flags.text("ttl"), 10, (why) => new CtlError(`bad TTL (${why})`));
  const stop = interrupted();
  const session = await openSession(client, ttl);
  try {
    const wanted = client.wait(lockMethod, { name: Buffer.from(name), lease: session.lease });
    const held = await Promise.race([wanted, session.lost, stop.signal]);
    if (held === undefined) return Exit.interrupted;
    if (command.length > 0) {
      const ran = run(command, {
        ETCD_LOCK_KEY: Buffer.from(held.key).toString(),
        ETCD_LOCK_REV: String(held.header?.revision ?? 0n),
      });
      return await Promise.race([ran, session.lost]);
    }
    show(context, {
      simple: () => Buffer.concat([shownBytes(held.key, context.hex), Buffer.from("\n")]),
      json: () => message(held),
      fields: () => `${headerFields(held.header)}"Key" : ${quoted(held.key)}\n`,
    });
    await Promise.race([stop.signal, session.lost]);
    return 0;
  } finally {
    stop.end();
    await session.end();
  }
}

function run(words: readonly string[], env: Readonly<Record<string, string>>): Promise<number> {
  const [command = "", ...args] = words;
  return new Promise((resolve, reject) => {
    spawn(command, args, { stdio: "inherit", env: { ...process.env, ...env } })
      .on("error", (error) => reject(new CtlError(error.message)))
      .on("exit", (code) => resolve(code ?? Exit.failed));
  });
}

async function elect(context: Context): Promise<number> {
  const { args, flags } = context;
  const [name, proposal] = args;
  if (name === undefined || args.length > 2) {
    throw new CtlError(
      "elect takes one election name argument and an optional proposal",
      Exit.badArgs,
    );
  }
  const isListening = flags.isOn("listen");
  if (isListening === (proposal !== undefined)) {
    throw new CtlError(
      isListening ? "no proposal with --listen" : "no proposal argument but -l not set",
      Exit.badArgs,
    );
  }
  return isListening ? observe(context, name) : campaign(context, name, proposal ?? "");
}

async function observe(context: Context, name: string): Promise<number> {
  for await (const { header, kv } of context.client.download(observeMethod, {
    name: Buffer.from(name),
  })) {
    if (kv === undefined) continue;
    show(context, {
      simple: () => lines(kv.key, kv.value, context.hex),
      fields: () => headerFields(header) + keyValueFields(kv),
    });
  }
  return 0;
}

async function campaign(context: Context, name: string, proposal: string): Promise<number> {
  const { client } = context;
  const stop = interrupted();
  const session = await openSession(client, electionTtlSeconds);
  try {
    const value = Buffer.from(proposal);
    const wanted = client.wait(campaignMethod, {
      ...{ name: Buffer.from(name), lease: session.lease, value },
    });
    const won = await Promise.race([wanted, session.lost, stop.signal]);
    if (won?.leader === undefined) return Exit.interrupted;
    print(lines(won.leader.key, value, context.hex));
    await Promise.race([stop.signal, session.lost]);
    await client.call(resignMethod, { leader: won.leader });
    return 0;
  } finally {
    stop.end();
    await session.end();
  }
}

function lines(key: Uint8Array, value: Uint8Array, hex: boolean): Uint8Array {
  const end = Buffer.from("\n");
  return Buffer.concat([shownBytes(key, hex), end, shownBytes(value, hex), end]);
}

export const lockCommands: Readonly<Record<string, Command>> = {
  lock: {
    about: "<lockname> [-- command arguments]: holds a named lock, or runs a command while it does",
    flags: { ttl: "10" },
    run: lock,
  },
  elect: {
    about: "<election-name> [proposal]: takes part in a leader election, or watches it",
    flags: { listen: false },
    run: elect,
  },
};
