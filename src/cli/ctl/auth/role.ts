/** The commands role add, delete, get, list, grant-permission, revoke-permission. */
import { prefixEnd } from "../../../base/bytes.js";
import { type Permission, Permission_Type } from "../../../wire/gen/auth.js";
import type { AuthRoleGetResponse } from "../../../wire/gen/rpc.js";
import { type Command, type Context, show } from "../context.js";
import { CtlError, Exit, type FlagTable } from "../flags.js";
import { message } from "../print-values.js";
import { argsOf, showDone } from "./answers.js";
import { authClientMethods } from "./methods.js";

const { READ, WRITE, READWRITE } = Permission_Type;
const rangeFlags: FlagTable = { prefix: false, "from-key": false };
const openEnd = "\0";

/** A role as etcdctl prints it. */
export function roleText(role: string, { perm }: AuthRoleGetResponse): string {
  const lines = (type: Permission_Type): string =>
    perm
      .filter(({ permType }) => permType === type || permType === READWRITE)
      .map((one) => `\t${rangeText(one)}\n`)
      .join("");
  return `Role ${role}\nKV Read:\n${lines(READ)}KV Write:\n${lines(WRITE)}`;
}

function rangeText({ key, range_end }: Permission): string {
  if (range_end.length === 0) return key.toString();
  const end = range_end.toString();
  const text = end === openEnd ? `[${key}, <open ended>` : `[${key}, ${end})`;
  return range_end.equals(prefixEnd(key)) ? `${text} (prefix ${key})` : text;
}

/** The range that the words, --prefix and --from-key name. @throws CtlError */
function rangeOf({ flags }: Context, words: readonly string[]): { key: string; end: string } {
  const [key = "", ...more] = words;
  const isPrefix = flags.isOn("prefix");
  const isFrom = flags.isOn("from-key");
  const bad = (why: string): CtlError => new CtlError(why, Exit.badArgs);
  if (isPrefix && isFrom) throw bad("--from-key and --prefix flags are mutually exclusive");
  if (key === "") return { key: openEnd, end: isPrefix || isFrom ? openEnd : "" };
  if (more.length > 0 && isPrefix) throw bad("unexpected endkey argument with --prefix flag");
  if (more.length > 0 && isFrom) throw bad("unexpected endkey argument with --from-key flag");
  if (isPrefix) return { key, end: Buffer.from(prefixEnd(Buffer.from(key))).toString() };
  return { key, end: isFrom ? openEnd : (more[0] ?? "") };
}

async function add(context: Context): Promise<undefined> {
  const [name = ""] = argsOf(context, 1, "role add command requires role name as its argument");
  const answer = await context.client.call(authClientMethods.roleAdd, { name });
  showDone(context, answer, `Role ${name} created`);
}

async function remove(context: Context): Promise<undefined> {
  const [role = ""] = argsOf(context, 1, "role delete command requires role name as its argument");
  const answer = await context.client.call(authClientMethods.roleDelete, { role });
  showDone(context, answer, `Role ${role} deleted`);
}

async function get(context: Context): Promise<undefined> {
  const [role = ""] = argsOf(context, 1, "role get command requires role name as its argument");
  const answer = await context.client.call(authClientMethods.roleGet, { role });
  show(context, { simple: () => roleText(role, answer), json: () => message(answer) });
}

async function list(context: Context): Promise<undefined> {
  argsOf(context, 0, "role list command requires no arguments");
  const answer = await context.client.call(authClientMethods.roleList, {});
  show(context, {
    simple: () => answer.roles.map((role) => `${role}\n`).join(""),
    json: () => message(answer),
  });
}

async function grant(context: Context): Promise<undefined> {
  const [name = "", kind = "", ...words] = context.args;
  if (words.length === 0) {
    const why = "role name, permission type, and key [endkey] as its argument";
    throw new CtlError(`role grant command requires ${why}`, Exit.badArgs);
  }
  const permType = { READ, WRITE, READWRITE }[kind.toUpperCase()];
  if (permType === undefined) throw new CtlError(`invalid permission type: ${kind}`, Exit.badArgs);
  const { key, end } = rangeOf(context, words);
  const perm = { permType, key: Buffer.from(key), range_end: Buffer.from(end) };
  const answer = await context.client.call(authClientMethods.roleGrant, { name, perm });
  showDone(context, answer, `Role ${name} updated`);
}

async function revoke(context: Context): Promise<undefined> {
  const [role = "", ...words] = context.args;
  if (words.length === 0) {
    const why = "role name and key [endkey] as its argument";
    throw new CtlError(`role revoke-permission command requires ${why}`, Exit.badArgs);
  }
  const { key, end } = rangeOf(context, words);
  const request = { role, key: Buffer.from(key), range_end: Buffer.from(end) };
  const answer = await context.client.call(authClientMethods.roleRevoke, request);
  showDone(context, answer, revokedText(role, words[0] ?? "", end));
}

function revokedText(role: string, key: string, end: string): string {
  if (end === "") return `Permission of key ${key} is revoked from role ${role}`;
  const range = end === openEnd ? `[${key}, <open ended>` : `[${key}, ${end})`;
  return `Permission of range ${range} is revoked from role ${role}`;
}

export const roleCommands: Readonly<Record<string, Command>> = {
  "role add": { run: add },
  "role delete": { run: remove },
  "role get": { run: get },
  "role list": { run: list },
  "role grant-permission": { flags: rangeFlags, run: grant },
  "role revoke-permission": { flags: rangeFlags, run: revoke },
};
