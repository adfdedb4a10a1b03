/** The commands member list, add, remove, update, promote. */
import type { MemberAddResponse, MemberListResponse } from "../../wire/gen/rpc.js";
import { type Command, type Context, headerFields, print, show } from "./context.js";
import { CtlError, Exit, parseInteger } from "./flags.js";
import { methods } from "./method.js";
import { table } from "./print-table.js";
import { message } from "./print-values.js";

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
    json: () => (context.hex ? hexList(answer) : message(answer)),
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

/** etcdctl's special list for --hex: ids as text, other names and fields than the message. */
function hexList({ header, members }: MemberListResponse): string {
  return JSON.stringify({
    header: {
      cluster_id: id(header?.cluster_id ?? 0n),
      member_id: id(header?.member_id ?? 0n),
      raft_term: Number(header?.raft_term ?? 0n),
    },
    members: members.map((m) => ({
      ID: id(m.ID),
      name: m.name,
      peerURLs: urlsOrNull(m.peerURLs),
      clientURLS: urlsOrNull(m.clientURLs),
    })),
  });
}

function urlsOrNull(urls: readonly string[]): readonly string[] | null {
  return urls.length === 0 ? null : urls;
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
      simple: () => told({ ID, done, cluster: answer.header?.cluster_id ?? 0n }),
      json: () => message(answer),
    });
    return undefined;
  };
}

/** Makes one change and prints it as etcdctl does. */
function told(change: { ID: bigint; done: string; cluster: bigint }): string {
  const { ID, done, cluster } = change;
  return `Member ${id(ID).padStart(16)} ${done} cluster ${id(cluster).padStart(16)}\n`;
}

function peerUrlsOf({ flags }: Context): string[] {
  if (flags.text("peer-urls") === "") {
    throw new CtlError("member peer urls not provided", Exit.badArgs);
  }
  return flags.text("peer-urls").split(",");
}

async function memberUpdate(context: Context): Promise<undefined> {
  const ID = memberArg(context);
  const peerURLs = peerUrlsOf(context);
  const answer = await context.client.call(methods.memberUpdate, { ID, peerURLs });
  const cluster = answer.header?.cluster_id ?? 0n;
  show(context, {
    simple: () => told({ ID, done: "updated in", cluster }),
    json: () => message(answer),
  });
}

async function memberAdd(context: Context): Promise<undefined> {
  const [name, ...more] = context.args;
  if (name === undefined) throw new CtlError("member name not provided", Exit.badArgs);
  if (more.length > 0) throw new CtlError("too many arguments", Exit.badArgs);
  const isLearner = context.flags.isOn("learner");
  const request = { peerURLs: peerUrlsOf(context), isLearner };
  const answer = await context.client.call(methods.memberAdd, request);
  const change = {
    ID: answer.member?.ID ?? 0n,
    done: "added to",
    cluster: answer.header?.cluster_id ?? 0n,
  };
  show(context, {
    simple: () => told(change),
    json: () => message(answer),
  });
  if (context.format === "simple") print(environmentOf(name, answer));
}

/** The settings with which the new member must be started. */
function environmentOf(name: string, { member, members }: MemberAddResponse): string {
  const cluster = members.flatMap((one) =>
    one.peerURLs.map((url) => `${one.ID === member?.ID ? name : one.name}=${url}`),
  );
  return [
    "",
    `ETCD_NAME=${JSON.stringify(name)}`,
    `ETCD_INITIAL_CLUSTER=${JSON.stringify(cluster.join(","))}`,
    `ETCD_INITIAL_ADVERTISE_PEER_URLS=${JSON.stringify(member?.peerURLs.join(",") ?? "")}`,
    'ETCD_INITIAL_CLUSTER_STATE="existing"',
    "",
  ].join("\n");
}

export const memberCommands: Readonly<Record<string, Command>> = {
  "member list": { run: memberList },
  "member add": { flags: { "peer-urls": "", learner: false }, run: memberAdd },
  "member remove": { run: memberChange("memberRemove", "removed from") },
  "member update": { flags: { "peer-urls": "" }, run: memberUpdate },
  "member promote": { run: memberChange("memberPromote", "promoted in") },
};
