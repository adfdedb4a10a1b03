/** The commands user add, delete, get, list, passwd, grant-role, revoke-role. */
import { type Command, type Context, print, show } from "../context.js";
import { CtlError, Exit, type FlagTable } from "../flags.js";
import { message } from "../print-values.js";
import { argsOf, showDone } from "./answers.js";
import { authClientMethods } from "./methods.js";
import { newPassword, passwordFromInput, splitUser } from "./password.js";
import { roleText } from "./role.js";

const addFlags: FlagTable = { interactive: true, "new-user-password": "", "no-password": false };

async function add(context: Context): Promise<undefined> {
  const { client, flags } = context;
  const [word = ""] = argsOf(context, 1, "user add command requires user name as its argument");
  const { name, password } = await newUser(context, word);
  const options = flags.isOn("no-password") ? { no_password: true } : { no_password: false };
  const answer = await client.call(authClientMethods.userAdd, { name, password, options });
  showDone(context, answer, `User ${name} created`);
}

async function newUser(
  { flags }: Context,
  word: string,
): Promise<{ name: string; password: string }> {
  if (flags.isOn("no-password")) return { name: word, password: "" };
  const given = flags.text("new-user-password");
  if (given !== "") return { name: word, password: given };
  const { name, password } = splitUser(word);
  if (password !== undefined) {
    if (name === "") throw new CtlError("empty user name is not allowed", Exit.badArgs);
    return { name, password };
  }
  const asked = flags.isOn("interactive") ? newPassword(name) : passwordFromInput();
  return { name, password: await asked };
}

async function passwd(context: Context): Promise<undefined> {
  const [name = ""] = argsOf(context, 1, "user passwd command requires user name as its argument");
  const asked = context.flags.isOn("interactive") ? newPassword(name) : passwordFromInput();
  const request = { name, password: await asked };
  showDone(
    context,
    await context.client.call(authClientMethods.userPasswd, request),
    "Password updated",
  );
}

async function remove(context: Context): Promise<undefined> {
  const [name = ""] = argsOf(context, 1, "user delete command requires user name as its argument");
  const answer = await context.client.call(authClientMethods.userDelete, { name });
  showDone(context, answer, `User ${name} deleted`);
}

async function get(context: Context): Promise<undefined> {
  const { client, flags } = context;
  const [name = ""] = argsOf(context, 1, "user get command requires user name as its argument");
  const answer = await client.call(authClientMethods.userGet, { name });
  if (flags.isOn("detail")) {
    print(`User: ${name}\n`);
    for (const role of answer.roles) {
      print(`\n${roleText(role, await client.call(authClientMethods.roleGet, { role }))}`);
    }
    return;
  }
  show(context, {
    simple: () => `User: ${name}\nRoles:${answer.roles.map((role) => ` ${role}`).join("")}\n`,
    json: () => message(answer),
  });
}

async function list(context: Context): Promise<undefined> {
  argsOf(context, 0, "user list command requires no arguments");
  const answer = await context.client.call(authClientMethods.userList, {});
  show(context, {
    simple: () => answer.users.map((user) => `${user}\n`).join(""),
    json: () => message(answer),
  });
}

async function grantRole(context: Context): Promise<undefined> {
  const why = "user grant command requires user name and role name as its argument";
  const [user = "", role = ""] = argsOf(context, 2, why);
  const answer = await context.client.call(authClientMethods.userGrantRole, { user, role });
  showDone(context, answer, `Role ${role} is granted to user ${user}`);
}

async function revokeRole(context: Context): Promise<undefined> {
  const why = "user revoke-role requires user name and role name as its argument";
  const [name = "", role = ""] = argsOf(context, 2, why);
  const answer = await context.client.call(authClientMethods.userRevokeRole, { name, role });
  showDone(context, answer, `Role ${role} is revoked from user ${name}`);
}

export const userCommands: Readonly<Record<string, Command>> = {
  "user add": { flags: addFlags, run: add },
  "user delete": { run: remove },
  "user get": { flags: { detail: false }, run: get },
  "user list": { run: list },
  "user passwd": { flags: { interactive: true }, run: passwd },
  "user grant-role": { run: grantRole },
  "user revoke-role": { run: revokeRole },
};
