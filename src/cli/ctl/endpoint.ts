/** The commands endpoint status, health, hashkv; with --cluster at every member's client URLs. */
import type { HashKVResponse, StatusResponse } from "../../wire/gen/rpc.js";
import { type Command, type Context, headerFields, show } from "./context.js";
import { CtlError, Exit } from "./flags.js";
import { goDuration } from "./go-text.js";
import { methods } from "./method.js";
import { table } from "./print-table.js";
import { message, shownSize } from "./print-values.js";

const id = (value: bigint): string => value.toString(16);
const clusterFlag = { cluster: false };

export async function endpointsOf({ client, flags }: Context): Promise<readonly string[]> {
  if (!flags.isOn("cluster")) return client.endpoints;
  const { members } = await client.call(methods.memberList, { linearizable: true });
  return members.flatMap((member) => member.clientURLs).sort();
}

/** Asks every endpoint, and gives the answers. Reports those that fail at the end. */
async function askAll<T>(
  context: Context,
  what: "status" | "hash",
  ask: (endpoint: string) => Promise<T>,
): Promise<{
  readonly answers: { endpoint: string; answer: T }[];
  readonly failed: Error | undefined;
}> {
  const answers: { endpoint: string; answer: T }[] = [];
  let failed: Error | undefined;
  for (const endpoint of await endpointsOf(context)) {
    try {
      answers.push({ endpoint, answer: await ask(endpoint) });
    } catch (error) {
      failed ??= error as Error;
      process.stderr.write(
        `Failed to get the ${what} of endpoint ${endpoint} (${(error as Error).message})\n`,
      );
    }
  }
  return { answers, failed };
}

async function endpointStatus(context: Context): Promise<number> {
  const { answers, failed } = await askAll(context, "status", (endpoint) =>
    context.client.call(methods.status, {}, endpoint),
  );
  const list = answers.map(({ endpoint, answer }) => ({ Endpoint: endpoint, Status: answer }));
  const rows = list.map(({ Endpoint, Status: s }) => [
    Endpoint,
    id(s.header?.member_id ?? 0n),
    s.version,
    shownSize(s.dbSize),
    String(s.leader === s.header?.member_id),
    String(s.isLearner),
    String(s.raftTerm),
    String(s.raftIndex),
    String(s.raftAppliedIndex),
    s.errors.join(", "),
  ]);
  const headings = [
    "ENDPOINT",
    "ID",
    "VERSION",
    "DB SIZE",
    "IS LEADER",
    "IS LEARNER",
    "RAFT TERM",
    "RAFT INDEX",
    "RAFT APPLIED INDEX",
    "ERRORS",
  ];
  show(context, {
    simple: () => rows.map((row) => `${row.join(", ")}\n`).join(""),
    json: () => message(list),
    fields: () => list.map(({ Endpoint, Status }) => statusFields(Endpoint, Status)).join(""),
    table: () => table(headings, rows),
  });
  return failed === undefined ? 0 : Exit.failed;
}

function statusFields(endpoint: string, status: StatusResponse): string {
  return (
    headerFields(status.header) +
    `"Version" : ${JSON.stringify(status.version)}\n"DBSize" : ${status.dbSize}\n` +
    `"Leader" : ${status.leader}\n"IsLearner" : ${status.isLearner}\n` +
    `"RaftIndex" : ${status.raftIndex}\n"RaftTerm" : ${status.raftTerm}\n` +
    `"RaftAppliedIndex" : ${status.raftAppliedIndex}\n` +
    `"Errors" : [${status.errors.map((text) => JSON.stringify(text)).join(" ")}]\n` +
    `"Endpoint" : ${JSON.stringify(endpoint)}\n\n`
  );
}

async function endpointHashKv(context: Context): Promise<number> {
  const revision = context.flags.integer("rev");
  const { answers, failed } = await askAll(context, "hash", (endpoint) =>
    context.client.call(methods.hashKv, { revision }, endpoint),
  );
  const list = answers.map(({ endpoint, answer }) => ({ Endpoint: endpoint, HashKV: answer }));
  const rows = list.map(({ Endpoint, HashKV }) => [Endpoint, String(HashKV.hash)]);
  const fields = (endpoint: string, answer: HashKVResponse): string =>
    `${headerFields(answer.header)}"Endpoint" : ${JSON.stringify(endpoint)}\n"Hash" : ${answer.hash}\n\n`;
  show(context, {
    simple: () => rows.map((row) => `${row.join(", ")}\n`).join(""),
    json: () => message(list),
    fields: () => list.map(({ Endpoint, HashKV }) => fields(Endpoint, HashKV)).join(""),
    table: () => table(["ENDPOINT", "HASH"], rows),
  });
  if (failed !== undefined) throw failed;
  return 0;
}

interface Health {
  readonly endpoint: string;
  readonly health: boolean;
  readonly took: string;
  readonly error?: string;
}

/**
 * Checks each endpoint. It is healthy if it answers a linearizable read, and no alarm is active.
 */
async function endpointHealth(context: Context): Promise<number> {
  const list: Health[] = [];
  for (const endpoint of await endpointsOf(context)) list.push(await healthOf(context, endpoint));
  const rows = list.map((one) => [one.endpoint, String(one.health), one.took, one.error ?? ""]);
  show(context, {
    simple: () => {
      const bad = list.filter((one) => !one.health);
      process.stderr.write(bad.map(healthLine).join(""));
      return list
        .filter((one) => one.health)
        .map(healthLine)
        .join("");
    },
    json: () => JSON.stringify(list),
    fields: () =>
      list
        .map(
          (one) =>
            `"Endpoint" : ${JSON.stringify(one.endpoint)}\n"Health" : ${one.health}\n` +
            `"Took" : ${one.took}\n"Error" : ${one.error ?? ""}\n\n`,
        )
        .join(""),
    table: () => table(["ENDPOINT", "HEALTH", "TOOK", "ERROR"], rows),
  });
  if (list.every((one) => one.health)) return 0;
  throw new CtlError("unhealthy cluster");
}

async function healthOf({ client }: Context, endpoint: string): Promise<Health> {
  const began = process.hrtime.bigint();
  let error: string | undefined;
  try {
    await client.call(methods.range, { key: Buffer.from("health") }, endpoint);
    const { alarms } = await client.call(methods.alarm, {}, endpoint);
    if (alarms.length > 0) {
      const names = alarms.map(({ alarm }) => alarmName(alarm)).join(" ");
      error = `Active Alarm(s): ${names} `;
    }
  } catch (cause) {
    error = (cause as Error).message;
  }
  const took = goDuration(process.hrtime.bigint() - began);
  return { endpoint, health: error === undefined, took, ...(error === undefined ? {} : { error }) };
}

function healthLine({ endpoint, health, took, error }: Health): string {
  return health
    ? `${endpoint} is healthy: successfully committed proposal: took = ${took}\n`
    : `${endpoint} is unhealthy: failed to commit proposal: ${error}\n`;
}

export function alarmName(alarm: number): string {
  return ["NONE", "NOSPACE", "CORRUPT"][alarm] ?? String(alarm);
}

export const endpointCommands: Readonly<Record<string, Command>> = {
  "endpoint status": { flags: clusterFlag, run: endpointStatus },
  "endpoint health": { flags: clusterFlag, run: endpointHealth },
  "endpoint hashkv": { flags: { ...clusterFlag, rev: "0" }, run: endpointHashKv },
};
