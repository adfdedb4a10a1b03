/** The commands auth enable, disable, status. */
import { type Command, type Context, headerFields, print, show } from "../context.js";
import { CtlError, Exit } from "../flags.js";
import { message } from "../print-values.js";
import { authClientMethods } from "./methods.js";

const rootRoleMissing = "etcdserver: root user does not have root role";

function refuseArgs({ args }: Context, name: string): void {
  if (args.length === 0) return;
  throw new CtlError(`auth ${name} command does not accept any arguments`, Exit.badArgs);
}

/** Enables auth. As etcdctl does, it first gives root the role root if only that is missing. */
async function enable(context: Context): Promise<undefined> {
  refuseArgs(context, "enable");
  const { client } = context;
  try {
    await client.call(authClientMethods.enable, {});
  } catch (error) {
    if (!(error instanceof CtlError) || error.message !== rootRoleMissing) throw error;
    await client.call(authClientMethods.roleAdd, { name: "root" });
    await client.call(authClientMethods.userGrantRole, { user: "root", role: "root" });
    await client.call(authClientMethods.enable, {});
  }
  print("Authentication Enabled\n");
}

async function disable(context: Context): Promise<undefined> {
  refuseArgs(context, "disable");
  await context.client.call(authClientMethods.disable, {});
  print("Authentication Disabled\n");
}

async function status(context: Context): Promise<undefined> {
  refuseArgs(context, "status");
  const answer = await context.client.call(authClientMethods.status, {});
  const { enabled, authRevision } = answer;
  show(context, {
    simple: () => `Authentication Status: ${enabled}\nAuthRevision: ${authRevision}\n`,
    json: () => message(answer),
    fields: () =>
      `${headerFields(answer.header)}"Enabled" : ${enabled}\n"AuthRevision" : ${authRevision}\n`,
  });
}

export const authCommands: Readonly<Record<string, Command>> = {
  "auth enable": { run: enable },
  "auth disable": { run: disable },
  "auth status": { run: status },
};
