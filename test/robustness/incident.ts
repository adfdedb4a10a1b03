/** What can be seen of an incident from outside: alarms, health, a member's own note, its log lines. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { AlarmType } from "../../src/wire/gen/rpc.js";
import type { ClusterMember } from "../support/cluster.js";
import type { Reader } from "./reader.js";

export interface Note {
  readonly reason: string;
  readonly index: number;
  readonly sinceMs: number;
}

/** The member's own note that it is in quarantine. */
export function noteOf(member: ClusterMember): Note | undefined {
  const path = join(member.dataDir, "quarantine.json");
  if (!existsSync(path)) return undefined;
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Note;
  } catch {
    // It went in between.
    return undefined;
  }
}

/** Ids of members with a CORRUPT alarm, as `member` knows them. */
export async function corruptAlarms(member: ClusterMember): Promise<string[]> {
  const { alarms } = await member.client.alarm({});
  return alarms
    .filter(({ alarm }) => alarm === AlarmType.CORRUPT)
    .map(({ memberID }) => memberID.toString(16));
}

export async function idOf(member: ClusterMember): Promise<string> {
  const { header } = await member.client.status({});
  return (header?.member_id ?? 0n).toString(16);
}

/** The status code and text of a health endpoint; 0 when no process listens. */
export async function health(
  member: ClusterMember,
  path: string,
): Promise<{ readonly status: number; readonly body: string }> {
  try {
    const response = await fetch(`http://${member.endpoint}${path}`);
    return { status: response.status, body: await response.text() };
  } catch {
    return { status: 0, body: "" };
  }
}

/** Polls until `isSo`. @throws after `timeoutMs` */
export async function eventually(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  timeoutMs = 30_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const is = await Promise.resolve(isSo()).catch(() => false);
    if (is) return;
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Until the member is out of quarantine and answers right. */
export function healed(member: ClusterMember, reader: Reader, timeoutMs = 30_000): Promise<void> {
  return eventually(
    `${member.name} is right again`,
    async () => noteOf(member) === undefined && (await reader.readOnce()),
    timeoutMs,
  );
}
