/** member, endpoint, alarm list, compaction, defrag, move-leader. */
import type { StatusResponse } from "../../wire/gen/rpc.js";
import { methods } from "./client.js";
import { type Command, type Context, headerFields, print, show } from "./context.js";
import { CtlError, Exit, parseInteger } from "./flags.js";
import { table } from "./print-table.js";
import { message, shownSize } from "./print-values.js";

const id = (value: bigint): string => value.toString(16);

async function memberList(context: Context): Promise<undefined> {
  const answer = await context.client.call(methods.memberList, { linearizable: true });
  const rows = answer.members.map((m) => [
    id(m.ID),
    m.name === "" ? "unstarted" : "started",
    m.name,
    m.peerURLs.join(","),
    m.clientURLs.join(","),
    String(m.isLearner),
  ]);
  show(context, {
    simple: () => rows.map((row) => `${row.join(", ")}\n`).join(""),
    json: () => message(answer),
    fields: () =>
      headerFields(answer.header) +
      answer.members
        .map(
          (m) =>
            `"ID" : ${m.ID}\n"Name" : ${JSON.stringify(m.name)}\n` +
            m.peerURLs.map((url) => `"PeerURL" : ${JSON.stringify(url)}\n`).join("") +
            m.clientURLs.map((url) => `"ClientURL" : ${JSON.stringify(url)}\n`).join("") +
            `"IsLearner" : ${m.isLearner}\n\n`,
        )
        .join(""),
    table: () => table(["ID", "STATUS", "NAME", "PEER ADDRS", "CLIENT ADDRS", "IS LEARNER"], rows),
  });
}

function memberArg({ args }: Context): bigint {
  if (args.length !== 1) throw new CtlError("member ID is not provided", Exit.badArgs);
  return parseInteger(
    args[0] as string,
    16,
    (why) => new CtlError(`bad member ID arg (${why}), expecting ID in Hex`, Exit.badArgs),
    "ParseUint",
  );
}

function memberChange(name: "memberRemove" | "memberPromote", done: string): Command["run"] {
  return async (context) => {
    const ID = memberArg(context);
    const answer = await context.client.call(methods[name], { ID });
    show(context, {
      simple: () =>
        `Member ${id(ID).padStart(16)} ${done} cluster ${id(answer.header?.cluster_id ?? 0n).padStart(16)}\n`,
      json: () => message(answer),
    });
    return undefined;
  };
}

async function endpointStatus(context: Context): Promise<undefined> {
  const list: { Endpoint: string; Status: StatusResponse }[] = [];
  for (const endpoint of context.client.endpoints) {
    list.push({
      Endpoint: endpoint,
      Status: await context.client.call(methods.status, {}, endpoint),
    });
  }
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
    table: () => table(headings, rows),
  });
}

async function compaction(context: Context): Promise<undefined> {
  if (context.args.length !== 1)
    throw new CtlError("compaction command needs 1 argument", Exit.badArgs);
  const revision = parseInteger(context.args[0] as string, 10, (why) => new CtlError(why));
  await context.client.call(methods.compact, {
    revision,
    physical: context.flags.isOn("physical"),
  });
  print(`compacted revision ${revision}\n`);
}

async function defrag(context: Context): Promise<undefined> {
  for (const endpoint of context.client.endpoints) {
    await context.client.call(methods.defragment, {}, endpoint);
    print(`Finished defragmenting etcd member[${endpoint}]\n`);
  }
}

export const clusterCommands: Readonly<Record<string, Command>> = {
  "member list": { run: memberList },
  "member remove": { run: memberChange("memberRemove", "removed from") },
  "member promote": { run: memberChange("memberPromote", "promoted in") },
  "endpoint status": { run: endpointStatus },
  compaction: { flags: { physical: false }, run: compaction },
  defrag: { run: defrag },
};
