/** `lease grant`, `revoke`, `timetolive`, `list`, `keep-alive`. */
import type { LeaseKeepAliveResponse, ResponseHeader } from "../../wire/gen/rpc.js";
import { type CtlCommand, type Invocation, truth } from "./command.js";
import { CtlFailure, exitCodes, refuseArguments } from "./failure.js";
import { idText, messageJson, parseId, parseInt64, plainJson } from "./go-text.js";
import type { Printer } from "./printer.js";

const reopenMs = 500;

export const leaseCommands: readonly CtlCommand[] = [
  {
    name: "lease grant",
    usage: "<ttl>",
    help: "a lease that lives this many seconds unless kept alive",
    flags: [],
    run: grant,
  },
  {
    name: "lease revoke",
    usage: "<id>",
    help: "end a lease and delete its keys",
    flags: [],
    run: revoke,
  },
  {
    name: "lease timetolive",
    usage: "[flags] <id>",
    help: "what is left of a lease",
    flags: [truth("keys", "show its keys, too")],
    run: timeToLive,
  },
  { name: "lease list", usage: "", help: "all leases", flags: [], run: list },
  {
    name: "lease keep-alive",
    usage: "[flags] <id>",
    help: "keep a lease alive until interrupted",
    flags: [truth("once", "once")],
    run: keepAlive,
  },
];

async function grant({ args, client, out }: Invocation): Promise<void> {
  const [text] = args;
  if (text === undefined || args.length > 1) {
    refuseArguments("lease grant command needs TTL argument");
  }
  const ttl = parseInt64(text);
  if (ttl instanceof Error) refuseArguments(`bad TTL (${ttl.message})`);
  out.mustBe("simple", "json", "fields");
  const { header, ID, TTL, error } = await client.call("leaseGrant", { TTL: ttl });
  if (out.format === "json") {
    out.line(flatJson(header, `"ID":${ID},"TTL":${TTL},"Error":${plainJson(error)}`));
  } else if (out.format === "fields") {
    out.headerFields(header);
    out.field("ID", ID);
    out.field("TTL", TTL);
  } else {
    out.line(`lease ${idText(ID)} granted with TTL(${TTL}s)`);
  }
}

async function revoke({ args, client, out }: Invocation): Promise<void> {
  if (args.length !== 1) refuseArguments("lease revoke command needs 1 argument");
  const id = leaseId(args);
  out.mustBe("simple", "json", "fields");
  const answer = await client.call("leaseRevoke", { ID: id }).catch((error: unknown) => {
    if (!(error instanceof CtlFailure)) throw error;
    throw new CtlFailure(error.exitCode, `failed to revoke lease (${error.message})`);
  });
  if (out.format === "json") out.line(messageJson(answer));
  else if (out.format === "fields") out.headerFields(answer.header);
  else out.line(`lease ${idText(id)} revoked`);
}

async function timeToLive({ args, flags, client, out }: Invocation): Promise<void> {
  if (args.length !== 1) refuseArguments("lease timetolive command needs lease ID as argument");
  const id = leaseId(args);
  const wantsKeys = flags.boolean("keys");
  out.mustBe("simple", "json", "fields");
  const answer = await client.call("leaseTimeToLive", { ID: id, keys: wantsKeys });
  const { header, ID, TTL, grantedTTL, keys } = answer;
  if (out.format === "json") {
    const shown = keys.length === 0 ? null : keys;
    const fields = `"id":${ID},"ttl":${TTL},"granted-ttl":${grantedTTL}`;
    return out.line(flatJson(header, `${fields},"keys":${plainJson(shown)}`));
  }
  if (out.format === "fields") {
    out.headerFields(header);
    out.field("ID", ID);
    out.field("TTL", TTL);
    out.field("GrantedTTL", grantedTTL);
    for (const key of keys) out.field("Key", key);
    return;
  }
  if (grantedTTL === 0n && TTL === -1n) return out.line(`lease ${idText(ID)} already expired`);
  const names = keys.map((key) => key.toString()).join(" ");
  const attached = wantsKeys ? `, attached keys([${names}])` : "";
  out.line(`lease ${idText(ID)} granted with TTL(${grantedTTL}s), remaining(${TTL}s)${attached}`);
}

async function list({ client, out }: Invocation): Promise<void> {
  out.mustBe("simple", "json", "fields");
  const { header, leases } = await client.call("leases", {});
  if (out.format === "json") {
    const ids = leases.map(({ ID }) => ({ id: ID }));
    return out.line(flatJson(header, `"leases":${plainJson(ids)}`));
  }
  if (out.format === "fields") {
    out.headerFields(header);
    for (const { ID } of leases) out.field("ID", ID);
    return;
  }
  out.line(`found ${leases.length} leases`);
  for (const { ID } of leases) out.line(idText(ID));
}

async function keepAlive(call: Invocation): Promise<void> {
  const { args, flags, out } = call;
  if (args.length !== 1) refuseArguments("lease keep-alive command needs lease ID as argument");
  const id = leaseId(args);
  out.mustBe("simple", "json", "fields");
  if (flags.boolean("once")) {
    const answer = await beat(call, id);
    if (answer.TTL > 0n) return printKeepAlive(out, answer);
    throw new CtlFailure(exitCodes.badConnection, "etcdserver: requested lease not found");
  }
  for (;;) {
    const answer = await beat(call, id);
    if (answer.TTL <= 0n) break;
    printKeepAlive(out, answer);
    await pause((Number(answer.TTL) * 1000) / 3);
  }
  if (out.format === "simple") out.line(`lease ${idText(id)} expired or revoked.`);
}

/** One sign of life, on a stream of its own; again elsewhere while no member can take it. */
async function beat({ client }: Invocation, id: bigint): Promise<LeaseKeepAliveResponse> {
  for (;;) {
    const answer = await new Promise<LeaseKeepAliveResponse | undefined>((resolve, reject) => {
      const opened = client.open("keepAlive", {
        onMessage: (message) => {
          resolve(message);
          void opened.then(({ cancel }) => cancel());
        },
        onEnd: () => resolve(undefined),
      });
      opened.then(({ send }) => send({ ID: id }), reject);
    });
    if (answer !== undefined) return answer;
    await pause(reopenMs);
  }
}

function printKeepAlive(out: Printer, { header, ID, TTL }: LeaseKeepAliveResponse): void {
  if (out.format === "json") return out.line(flatJson(header, `"ID":${ID},"TTL":${TTL}`));
  if (out.format === "fields") {
    out.headerFields(header);
    out.field("ID", ID);
    out.field("TTL", TTL);
    return;
  }
  out.line(`lease ${idText(ID)} keepalived with TTL(${TTL})`);
}

function leaseId([text = ""]: readonly string[]): bigint {
  return parseId(text, "lease ID arg");
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Leases have their header's fields among their own. */
function flatJson(header: ResponseHeader | undefined, fields: string): string {
  const head = messageJson(header ?? {}).slice(1, -1);
  return `{${head}${head === "" ? "" : ","}${fields}}`;
}
