/** The commands lease grant, revoke, timetolive, list, keep-alive. */
import { ConnectionLost } from "./client.js";
import { type Command, type Context, headerFields, print, show } from "./context.js";
import { CtlError, Exit, parseInteger } from "./flags.js";
import { methods } from "./method.js";
import { hexId, message, quoted, struct } from "./print-values.js";

function leaseArg({ args }: Context, name: string, what = "lease ID as argument"): bigint {
  if (args.length !== 1) throw new CtlError(`lease ${name} command needs ${what}`, Exit.badArgs);
  return parseInteger(args[0] as string, 16, (why) => {
    return new CtlError(`bad lease ID arg (${why}), expecting ID in Hex`, Exit.badArgs);
  });
}
/** The fields of a header without zeros, as Go embeds it. */
function flat(header: object | undefined): Record<string, unknown> {
  return Object.fromEntries(Object.entries(header ?? {}).filter(([, value]) => value !== 0n));
}

async function grant(context: Context): Promise<undefined> {
  if (context.args.length === 0) {
    throw new CtlError("lease grant command needs TTL argument", Exit.badArgs);
  }
  const ttl = parseInteger(context.args[0] as string, 10, (why) => {
    return new CtlError(`bad TTL (${why})`, Exit.badArgs);
  });
  const answer = await context.client.call(methods.grant, { TTL: ttl }).catch((error: Error) => {
    throw new CtlError(`failed to grant lease (${error.message})`);
  });
  const { ID, TTL, error } = answer;
  show(context, {
    simple: () => `lease ${hexId(ID)} granted with TTL(${TTL}s)\n`,
    json: () => struct({ ...flat(answer.header), ID, TTL, Error: error }),
    fields: () => `${headerFields(answer.header)}"ID" : ${ID}\n"TTL" : ${TTL}\n`,
  });
}

async function revoke(context: Context): Promise<undefined> {
  const ID = leaseArg(context, "revoke", "1 argument");
  const answer = await context.client.call(methods.revoke, { ID }).catch((error: Error) => {
    throw new CtlError(`failed to revoke lease (${error.message})`);
  });
  show(context, {
    simple: () => `lease ${hexId(ID)} revoked\n`,
    json: () => message(answer),
    fields: () => headerFields(answer.header),
  });
}

async function timeToLive(context: Context): Promise<undefined> {
  const ID = leaseArg(context, "timetolive");
  const keys = context.flags.isOn("keys");
  const answer = await context.client.call(methods.timeToLive, { ID, keys });
  const { header, TTL, grantedTTL } = answer;
  const attached = answer.keys.map((key) => Buffer.from(key).toString()).join(" ");
  const list = answer.keys.length === 0 ? null : answer.keys;
  show(context, {
    simple: () =>
      TTL === -1n
        ? `lease ${hexId(ID)} already expired\n`
        : `lease ${hexId(ID)} granted with TTL(${grantedTTL}s), remaining(${TTL}s)` +
          `${keys ? `, attached keys([${attached}])` : ""}\n`,
    json: () =>
      struct({ ...flat(header), id: ID, ttl: TTL, "granted-ttl": grantedTTL, keys: list }),
    fields: () =>
      `${headerFields(header)}"ID" : ${ID}\n"TTL" : ${TTL}\n"GrantedTTL" : ${grantedTTL}\n` +
      answer.keys.map((key) => `"Key" : ${quoted(key)}\n`).join(""),
  });
}

async function list(context: Context): Promise<undefined> {
  const { header, leases } = await context.client.call(methods.leases, {});
  show(context, {
    simple: () =>
      `found ${leases.length} leases\n${leases.map(({ ID }) => `${hexId(ID)}\n`).join("")}`,
    json: () => struct({ ...flat(header), leases: leases.map(({ ID }) => ({ id: ID })) }),
    fields: () => headerFields(header) + leases.map(({ ID }) => `"ID" : ${ID}\n`).join(""),
  });
}

/** Renews at a third of the time to live, as long as the lease lives. */
async function keepAlive(context: Context): Promise<number> {
  const ID = leaseArg(context, "keep-alive");
  const isOnce = context.flags.isOn("once");
  let wasAnswered = false;
  for (;;) {
    const ttl = await beat(context, ID).catch((error: unknown) => {
      if (wasAnswered && error instanceof ConnectionLost) return undefined;
      throw error;
    });
    wasAnswered = true;
    if (ttl === undefined) {
      await pause(reopenMs);
      continue;
    }
    if (ttl <= 0n) {
      if (isOnce) {
        throw new CtlError("etcdserver: requested lease not found", Exit.badConnection);
      }
      if (context.format === "simple") print(`lease ${hexId(ID)} expired or revoked.\n`);
      return 0;
    }
    if (isOnce) return 0;
    await pause((Number(ttl) * 1000) / 3);
  }
}

const reopenMs = 500;

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Prints one renewal and returns the time to live; 0 when there is no such lease. */
async function beat(context: Context, ID: bigint): Promise<bigint> {
  for await (const answer of context.client.stream(methods.keepAlive, { ID })) {
    const { header, TTL } = answer;
    if (TTL <= 0n) return 0n;
    show(context, {
      simple: () => `lease ${hexId(ID)} keepalived with TTL(${TTL})\n`,
      json: () => struct({ ...flat(header), ID, TTL }),
      fields: () => `${headerFields(header)}"ID" : ${ID}\n"TTL" : ${TTL}\n`,
    });
    return TTL;
  }
  throw new ConnectionLost("the server ended the stream");
}

export const leaseCommands: Readonly<Record<string, Command>> = {
  "lease grant": { run: grant },
  "lease revoke": { run: revoke },
  "lease timetolive": { flags: { keys: false }, run: timeToLive },
  "lease list": { run: list },
  "lease keep-alive": { flags: { once: false }, run: keepAlive },
};
