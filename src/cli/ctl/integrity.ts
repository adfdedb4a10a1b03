/**
 * What members know of their integrity. `integrity` explains the present and the past to a person.
 * `endpoint integrity` prints one line per member; its exit code 1 means that not all are known to
 * be equal. Both also reach members in quarantine.
 */
import {
  type Divergence,
  type Incident,
  type IncidentStep,
  type MemberIntegrity,
  type ReportResponse,
  MemberIntegrity_State as State,
} from "../../wire/gen/integrity.js";
import { AlarmType } from "../../wire/gen/rpc.js";
import { type Command, type Context, show } from "./context.js";
import { alarmName } from "./endpoint.js";
import { CtlError, Exit } from "./flags.js";
import { methods } from "./method.js";
import { table } from "./print-table.js";

interface Answer {
  readonly endpoint: string;
  readonly report: ReportResponse;
}

const clusterFlag = { cluster: false };
const hex = (id: bigint): string => id.toString(16);
const stateNames: Readonly<Record<number, string>> = {
  [State.UNKNOWN]: "unknown",
  [State.EQUAL]: "equal",
  [State.DIFFERS]: "differs",
  [State.NOT_COMPARABLE]: "not comparable",
  [State.SELF]: "self",
};
const stateName = (state: State): string => stateNames[state] ?? `state ${state}`;

/**
 * The client URLs of all members, as any endpoint knows them. A member in quarantine knows them,
 * too.
 */
async function endpointsOf({ client, flags }: Context): Promise<readonly string[]> {
  if (!flags.isOn("cluster")) return client.endpoints;
  let failure: unknown;
  for (const endpoint of client.endpoints) {
    try {
      const { members } = await client.call(methods.report, { present_only: true }, endpoint);
      return members.flatMap(({ client_urls }) => client_urls.slice(0, 1)).sort();
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

async function ask(
  context: Context,
  presentOnly: boolean,
): Promise<{ readonly answers: readonly Answer[]; readonly isWhole: boolean }> {
  const endpoints = await endpointsOf(context);
  const answers = await Promise.all(
    endpoints.map(async (endpoint): Promise<Answer | undefined> => {
      try {
        const request = { present_only: presentOnly };
        return { endpoint, report: await context.client.call(methods.report, request, endpoint) };
      } catch (error) {
        if (!(error instanceof CtlError)) throw error;
        process.stderr.write(
          `Failed to get the integrity of endpoint ${endpoint} (${error.message})\n`,
        );
        return undefined;
      }
    }),
  );
  const told = answers.filter((answer) => answer !== undefined);
  return { answers: told, isWhole: told.length === answers.length };
}

function selfOf({ header, members }: ReportResponse): {
  readonly id: bigint;
  readonly name: string;
} {
  const id = header?.member_id ?? 0n;
  return { id, name: members.find(({ ID }) => ID === id)?.name ?? "" };
}

/**
 * The members that this one compares itself with. Followers exchange fingerprints with their leader
 * only, so a missing comparison between followers means nothing.
 */
function comparedPeers(report: ReportResponse): readonly MemberIntegrity[] {
  const self = selfOf(report).id;
  return report.members.filter(
    ({ ID, state }) =>
      ID !== self && (state !== State.UNKNOWN || report.leader === self || report.leader === ID),
  );
}

function isFine(report: ReportResponse): boolean {
  return (
    report.quarantine === undefined &&
    report.divergence === undefined &&
    report.alarms.every(({ alarm }) => alarm !== AlarmType.CORRUPT) &&
    comparedPeers(report).every(({ state }) => state === State.EQUAL)
  );
}

const labelOf = ({ ID, name }: { readonly ID: bigint; readonly name: string }): string =>
  name === "" ? hex(ID) : name;

function peerText(peer: MemberIntegrity): string {
  const upto = peer.state === State.EQUAL ? ` up to ${peer.verified_index}` : "";
  return `${labelOf(peer)} ${stateName(peer.state)}${upto}`;
}

async function endpointIntegrity(context: Context): Promise<number> {
  const { answers, isWhole } = await ask(context, true);
  const rows = answers.map(({ endpoint, report }) => [
    endpoint,
    hex(selfOf(report).id),
    String(report.applied_index),
    String(report.verified_index),
    comparedPeers(report).map(peerText).join(", "),
    String(report.digest_version),
    String(report.quarantine !== undefined || report.divergence !== undefined),
  ]);
  const headings = [
    "ENDPOINT",
    "ID",
    "APPLIED INDEX",
    "VERIFIED INDEX",
    "PEERS",
    "DIGEST VERSION",
    "QUARANTINE",
  ];
  show(context, {
    simple: () => rows.map((row) => `${row.join(", ")}\n`).join(""),
    json: () => JSON.stringify(answers.map(plain)),
    table: () => table(headings, rows),
  });
  return isWhole && answers.every(({ report }) => isFine(report)) ? 0 : Exit.failed;
}

async function integrity(context: Context): Promise<number> {
  if (context.args.length > 0) {
    throw new CtlError("integrity command accepts no arguments", Exit.badArgs);
  }
  const { answers, isWhole } = await ask(context, false);
  show(context, {
    simple: () => answers.map(story).join("\n"),
    json: () => JSON.stringify(answers.map(plain)),
  });
  return isWhole ? 0 : Exit.failed;
}

/** A report for JSON: ids as hex, numbers as numbers, states and alarms by name. */
function plain({ endpoint, report }: Answer): unknown {
  const { id, name } = selfOf(report);
  return {
    ...{ endpoint, member: hex(id), name, leader: hex(report.leader) },
    appliedIndex: Number(report.applied_index),
    verifiedIndex: Number(report.verified_index),
    digestVersion: report.digest_version,
    peers: comparedPeers(report).map((peer) => ({
      ...{ member: hex(peer.ID), name: peer.name, isLearner: peer.is_learner },
      state: stateName(peer.state),
      verifiedIndex: Number(peer.verified_index),
    })),
    quarantine: plainNumbers(report.quarantine ?? null),
    divergence: plainNumbers(report.divergence ?? null),
    alarms: report.alarms.map(({ member_ID, alarm, contained }) => ({
      ...{ member: hex(member_ID), alarm: alarmName(alarm), contained },
    })),
    incidents: report.incidents.map(({ number, steps }) => ({
      number: Number(number),
      steps: steps.map((step) => plainNumbers({ ...step, rows: step.rows ?? null })),
    })),
  };
}

function plainNumbers(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_name, field) => (typeof field === "bigint" ? Number(field) : field)),
  );
}

/** One member's present state and its incidents, for a person. */
function story({ endpoint, report }: Answer): string {
  const { id, name } = selfOf(report);
  const { quarantine } = report;
  const lines = [
    `${endpoint}: member ${hex(id)}${name === "" ? "" : ` (${name})`}${report.leader === id ? ", leads" : ""}`,
  ];
  const { divergence } = report;
  if (divergence !== undefined) lines.push(...divergenceLines(divergence));
  if (quarantine === undefined) {
    if (divergence === undefined) lines.push("  It serves clients.");
  } else {
    const failed = quarantine.failures > 0 ? `, ${quarantine.failures} failed heals` : "";
    lines.push(
      `  IN QUARANTINE since ${time(quarantine.since_ms)}${failed}: it serves no clients${divergence === undefined ? " and heals" : ""}.`,
      `  Why: ${quarantine.reason}`,
      `  The wrong state is backend "${quarantine.backend}".`,
    );
  }
  lines.push(
    `  Applied up to log index ${report.applied_index}, equal to another member up to ${report.verified_index}, digest version ${report.digest_version}.`,
    ...comparedPeers(report).map((peer) => `  Peer ${peerText(peer)}`),
    ...report.alarms.map(
      (one) =>
        `  Alarm ${alarmName(one.alarm)} of ${alarmOwner(report, one.member_ID)}${one.contained && one.member_ID !== 0n ? ", contained: it alone serves no clients" : ""}`,
    ),
  );
  if (report.incidents.length === 0) lines.push("  No incidents.");
  lines.push(...report.incidents.flatMap((incident) => incidentLines(incident, report)));
  return `${lines.join("\n")}\n`;
}

function divergenceLines(divergence: Divergence): string[] {
  const { committed_index, committed_term, leader_last_index, leader_last_term } = divergence;
  const { since_ms, kept_file, first_kept, last_kept } = divergence;
  const isOtherEntry = leader_last_index >= committed_index;
  return [
    `  ENTRIES LOST BY THE OTHERS, found ${time(since_ms)}: it serves no clients and keeps what it has.`,
    isOtherEntry
      ? `  Committed here up to log index ${committed_index} (term ${committed_term}); the leader has other entries there.`
      : `  Committed here up to log index ${committed_index} (term ${committed_term}); the leader's log ended at ${leader_last_index} (term ${leader_last_term}).`,
    kept_file === ""
      ? "  The entries are in its log; the incident tells why no file has them yet."
      : `  Entries ${first_kept} to ${last_kept} are kept in "${kept_file}" of its data directory.`,
    "  What to do: docs/operations/lost-entries.md.",
  ];
}

function alarmOwner({ members }: ReportResponse, id: bigint): string {
  if (id === 0n) return "the whole cluster";
  const known = members.find(({ ID }) => ID === id);
  return known === undefined ? hex(id) : `${labelOf(known)} (${hex(id)})`;
}

function incidentLines({ number, steps }: Incident, report: ReportResponse): string[] {
  const first = steps[0]?.at_ms ?? 0n;
  const end = steps.find(({ kind }) => kind === "ended");
  const took = end === undefined ? "not over" : `over after ${seconds(end.at_ms - first)}`;
  return [
    `  Incident ${number}, ${time(first)}, ${took}:`,
    ...steps.flatMap((step) => stepLines(step, step.at_ms - first, report)),
  ];
}

function stepLines(step: IncidentStep, sinceMs: bigint, { members }: ReportResponse): string[] {
  const names = new Map(members.map(({ ID, name }) => [hex(ID), name]));
  const named = (text: string): string =>
    text.replace(/\b[0-9a-f]+\b/g, (word) => {
      const name = names.get(word) ?? "";
      return name === "" ? word : `${name} (${word})`;
    });
  const { rows } = step;
  return [
    `    +${seconds(sinceMs).padEnd(8)} ${step.kind.padEnd(11)} ${named(step.text)}`,
    ...step.evidence.map((line) => `        ${named(line)}`),
    ...(rows === undefined
      ? []
      : [
          `        the wrong state stood at index ${rows.wrong_index}, compared up to revision ${rows.upto_revision}`,
          ...(rows.problem === "" ? [] : [`        not all were compared: ${rows.problem}`]),
        ]),
    ...(rows?.rows ?? []).map(
      ({ bucket, key, text, revision, fault }) =>
        `        ${fault}: ${text === "" ? `row ${key} of bucket ${bucket}` : `key "${text}", revision ${revision}`}`,
    ),
  ];
}

function time(ms: bigint): string {
  const date = new Date(Number(ms));
  return Number.isNaN(date.getTime()) ? "an unknown time" : date.toISOString();
}

function seconds(ms: bigint): string {
  return `${(Number(ms) / 1000).toFixed(3)}s`;
}

/** Prints the last and the next automatic compaction. Only the leader has a next one. */
async function endpointCompaction(context: Context): Promise<number> {
  const { answers, isWhole } = await ask(context, true);
  const rows = answers.map(({ endpoint, report }) => {
    const own = report.auto_compaction;
    const { id } = selfOf(report);
    if (own === undefined) return [endpoint, hex(id), "off", "", "", ""];
    const { last_revision: last, next_revision: next, due_in_ms: dueMs } = own;
    const isLeader = dueMs >= 0n;
    return [
      ...[endpoint, hex(id), isLeader ? "leader" : "follower", last === 0n ? "none" : `${last}`],
      ...(isLeader ? [next === 0n ? "none" : `${next}`, `${dueMs / 1_000n}s`] : ["", ""]),
    ];
  });
  show(context, {
    simple: () => rows.map((row) => `${row.join(", ")}\n`).join(""),
    json: () =>
      JSON.stringify(
        answers.map(({ endpoint, report: { auto_compaction: own } }) => ({
          endpoint,
          ...(own === undefined
            ? { mode: "off" }
            : {
                ...{ lastRevision: Number(own.last_revision) },
                ...{ nextRevision: Number(own.next_revision), dueInMs: Number(own.due_in_ms) },
              }),
        })),
      ),
    table: () =>
      table(["ENDPOINT", "ID", "COMPACTS", "LAST REVISION", "NEXT REVISION", "DUE IN"], rows),
  });
  return isWhole ? 0 : Exit.failed;
}

export const integrityCommands: Readonly<Record<string, Command>> = {
  integrity: { flags: clusterFlag, run: integrity },
  "endpoint integrity": { flags: clusterFlag, run: endpointIntegrity },
  "endpoint compaction": {
    about: "[--cluster]: the last and the next automatic compaction",
    flags: clusterFlag,
    run: endpointCompaction,
  },
};
