/**
 * `lockstep ctl`: a client with etcdctl's commands, flags, output and exit codes. Finds the command
 * by its first one or two words; errors go to standard error as "Error: <text>".
 */

import { authCommands } from "./auth/auth.js";
import { roleCommands } from "./auth/role.js";
import { userCommands } from "./auth/user.js";
import { clientFlags, clientOf } from "./client-settings.js";
import type { Command } from "./context.js";
import { endpointCommands } from "./endpoint.js";
import { CtlError, Exit, type FlagTable, parseFlags, shortNames } from "./flags.js";
import { integrityCommands } from "./integrity.js";
import { kvCommands } from "./kv.js";
import { leaseCommands } from "./lease.js";
import { maintenanceCommands } from "./maintenance.js";
import { memberCommands } from "./member.js";
import { checkDatascaleCommands } from "./tools/check-datascale.js";
import { checkPerfCommands } from "./tools/check-perf.js";
import { completionCommands } from "./tools/completion.js";
import { lockCommands } from "./tools/lock.js";
import { mirrorCommands } from "./tools/make-mirror.js";
import { txnCommands } from "./txn.js";
import { watchCommands } from "./watch.js";

const commands: Readonly<Record<string, Command>> = {
  ...mirrorCommands,
  ...lockCommands,
  ...checkPerfCommands,
  ...checkDatascaleCommands,
  ...completionCommands(() => Object.keys(commands)),
  ...kvCommands,
  ...leaseCommands,
  ...watchCommands,
  ...txnCommands,
  ...memberCommands,
  ...endpointCommands,
  ...maintenanceCommands,
  ...integrityCommands,
  ...authCommands,
  ...userCommands,
  ...roleCommands,
};

const globalFlags: FlagTable = {
  ...clientFlags,
  "write-out": "simple",
  hex: false,
  help: false,
  // This flag is known and has no effect here.
  debug: false,
};

function globals(): FlagTable {
  const table: Record<string, string | boolean> = { ...globalFlags };
  for (const [name, start] of Object.entries(globalFlags)) {
    const value = process.env[`ETCDCTL_${name.toUpperCase().replaceAll("-", "_")}`];
    if (value === undefined || value === "") continue;
    table[name] = typeof start === "boolean" ? value === "true" || value === "1" : value;
  }
  return table;
}

function usage(): string {
  const names = Object.keys(commands).map((name) => `  ${name}\n`);
  return `Usage: lockstep ctl [flags] <command> [flags] [arguments]\n\nCommands:\n${names.join("")}
Flags: --endpoints, -d/--discovery-srv DOMAIN, --discovery-srv-name, --insecure-discovery=false,
--user name[:password], --password, --auth-jwt-token, -w simple|json|fields|table, --hex,
--max-request-bytes, --max-recv-bytes, --keepalive-time, --keepalive-timeout, --command-timeout,
--dial-timeout (to connect; without it as long as the command may take),
--cacert, --cert, --key, --insecure-skip-tls-verify, --insecure-transport=false (TLS)
(or ETCDCTL_ENDPOINTS and so on in the environment)\n`;
}

/**
 * The help of one command: its arguments, its flags with their defaults, and those of all commands.
 */
function helpOf(name: string, { about = "", flags = {} }: Command): string {
  const table = (of: FlagTable): string =>
    Object.entries(of)
      .map(
        ([flag, start]) =>
          `  --${flag}${typeof start === "string" ? ` "${start}"` : `=${start}`}\n`,
      )
      .join("");
  const own = table(flags);
  return [
    `Usage: lockstep ctl [flags] ${name} ${about === "" ? "[flags] [arguments]" : about}\n`,
    own === "" ? "" : `\nFlags (with their defaults):\n${own}`,
    `\nGlobal flags (or ETCDCTL_ENDPOINTS and so on in the environment):\n${table(globalFlags)}`,
  ].join("");
}

/** Finds the command. Its words come first among the words that are no global flags. */
function findCommand(words: readonly string[]): { name: string; rest: string[] } {
  const rest = [...words];
  const table = globals();
  const taken: string[] = [];
  let at = 0;
  while (at < rest.length && taken.length < 2) {
    const word = rest[at] as string;
    if (word.startsWith("-")) {
      const name = word.startsWith("--") ? word.slice(2) : (shortNames[word.slice(1)] ?? "");
      at += typeof table[name] === "string" ? 2 : 1;
      continue;
    }
    const name = [...taken, word].join(" ");
    if (
      commands[name] === undefined &&
      !Object.keys(commands).some((n) => n.startsWith(`${name} `))
    )
      break;
    taken.push(word);
    rest.splice(at, 1);
    if (commands[name] !== undefined) return { name, rest };
  }
  const wanted = rest[at];
  if (taken.length === 0 && wanted !== undefined)
    throw new CtlError(`unknown command "${wanted}" for "lockstep ctl"`);
  return { name: "", rest };
}

async function run(words: readonly string[]): Promise<number> {
  const { name, rest } = findCommand(words);
  const command = commands[name];
  const { flags, args, after } = parseFlags(rest, { ...globals(), ...command?.flags });
  if (command === undefined && args.length > 0) {
    throw new CtlError(`unknown command "${words.join(" ")}" for "lockstep ctl" (see --help)`);
  }
  if (command === undefined || flags.isOn("help")) {
    process.stdout.write(command === undefined ? usage() : helpOf(name, command));
    return 0;
  }
  const format = flags.text("write-out");
  if (!["simple", "json", "fields", "table"].includes(format)) {
    throw new CtlError("unsupported output format", Exit.badFeature);
  }
  const client = await clientOf(flags);
  try {
    return (await command.run({ args, after, flags, client, format, hex: flags.isOn("hex") })) ?? 0;
  } finally {
    client.close();
  }
}

export async function runCtl(words: readonly string[]): Promise<number> {
  try {
    return await run(words);
  } catch (error) {
    if (!(error instanceof CtlError)) throw error;
    process.stderr.write(`Error: ${error.message}\n`);
    return error.exit;
  }
}
