/** `lockstep server`: one member as a process, with etcd's flags, log lines and exit codes. */
import fs from "node:fs";
import { StartError } from "../base/errors.js";
import type { Address } from "../config/address.js";
import { readConfigFile } from "../config/config-file.js";
import { flagHelp, parseEnvironment, parseWords, UsageError } from "../config/flags.js";
import { resolveConfig, type ServerConfig } from "../config/server-config.js";
import { type RunningServer, serve } from "../embed.js";
import { createLog, type Log } from "../log/log.js";
import { holdsMember } from "../platform/node/data-dir.js";
import { notifyReady } from "../platform/node/service-manager.js";
import { clusterFromSrv } from "../platform/node/srv-records.js";
import { printVersion } from "./version.js";

const exitUsage = 2;
const exitFailed = 1;

export async function runServer(words: readonly string[]): Promise<number> {
  let config: ServerConfig;
  let write: (line: string) => void;
  const warnings: [string, Record<string, unknown>][] = [];
  try {
    const parsed = parseWords(words);
    if (parsed.wants === "help") {
      process.stdout.write(flagHelp());
      return 0;
    }
    if (parsed.wants === "version") return printVersion();
    const { values, sourceOf } = gather(parsed.values, warnings);
    config = await discovered(resolveConfig(values, { sourceOf, hasData: holdsMember }), (text) =>
      resolveConfig(new Map([...values, ["initial-cluster", text], ["discovery-srv", ""]]), {
        sourceOf,
      }),
    );
    write = openOutputs(config.logOutputs);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\nRun "lockstep server --help" for the flags.\n`);
    return exitUsage;
  }
  const log = createLog({
    level: config.logLevel,
    format: config.logFormat,
    caller: "lockstep/server",
    unixMs: Date.now,
    write,
  });
  for (const [message, fields] of warnings) log("warn", message, fields);
  for (const [flag, why] of config.withoutEffect) {
    log("warn", "this flag is accepted, and changes nothing", { flag, why });
  }
  log("info", "Running: ", { args: process.argv.slice(1) });
  return run(config, log);
}

/** The settings, with the members that DNS names if a flag asks for that. @throws UsageError */
async function discovered(
  config: ServerConfig,
  resolve: (initialCluster: string) => ServerConfig,
): Promise<ServerConfig> {
  const { discovery, member } = config;
  if (discovery === undefined) return config;
  const question = { ...discovery, name: member.name, advertised: member.advertisePeerUrls };
  try {
    return resolve(await clusterFromSrv(question));
  } catch (error) {
    throw error instanceof StartError ? new UsageError(error.message) : error;
  }
}

interface Gathered {
  readonly values: ReadonlyMap<string, string>;
  /** Where a value came from, as errors name it. */
  sourceOf(name: string): string;
}

/**
 * Gathers the settings. With a configuration file only that counts; without one, flags come before
 * variables.
 */
function gather(
  given: ReadonlyMap<string, string>,
  warnings: [string, Record<string, unknown>][],
): Gathered {
  const environment = parseEnvironment(process.env);
  const file = given.get("config-file") ?? environment.values.get("config-file");
  if (file !== undefined && file !== "") {
    return { values: readFile(file), sourceOf: (name) => `"${name}" in ${file}` };
  }
  for (const name of environment.unknown) {
    warnings.push(["unrecognized environment variable", { "environment-variable": name }]);
  }
  for (const [name, value] of environment.values) {
    if (!given.has(name)) continue;
    warnings.push([
      "conflicting environment variable is shadowed by corresponding command-line flag",
      { flag: name, "environment-value": value },
    ]);
  }
  return {
    values: new Map([...environment.values, ...given]),
    sourceOf: (name) =>
      given.has(name) || !environment.values.has(name)
        ? `flag -${name}`
        : `variable ${environment.names.get(name)}`,
  };
}

/** @throws UsageError */
function readFile(file: string): Map<string, string> {
  try {
    return readConfigFile(fs.readFileSync(file, "utf8"));
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`cannot read the configuration file: ${(error as Error).message}`);
  }
}

/** Milliseconds for a stop after an error that no part of the member handles. */
const lastWordsMs = 2_000;

/**
 * The last resort for an error that no request, job or callback of the member has handled. Writes
 * one line to the log and ends the process with code 1. It stops the member first if that is still
 * possible.
 */
function ownTheRest(log: Log, member: () => RunningServer["member"] | undefined): void {
  let isFirst = true;
  const take = (cause: unknown): void => {
    const error = cause instanceof Error ? cause : new Error(String(cause));
    if (!isFirst) process.exit(exitFailed);
    isFirst = false;
    setTimeout(() => process.exit(exitFailed), lastWordsMs);
    log("fatal", "an error that nothing has handled", { error: error.message, stack: error.stack });
    const running = member();
    if (running === undefined || running.isHalted()) process.exit(exitFailed);
    running.fail(error);
  };
  process.on("uncaughtException", take);
  process.on("unhandledRejection", take);
}

async function run(config: ServerConfig, log: Log): Promise<number> {
  // If a launcher dies suddenly, its members must end, too.
  let launcherGone = (): void => process.exit(exitFailed);
  if (process.send !== undefined) {
    process.on("disconnect", () => launcherGone());
    // The launcher may have died before this process could listen.
    if (!process.connected) return exitFailed;
  }
  let server: RunningServer | undefined;
  ownTheRest(log, () => server?.member);
  try {
    server = await serve(config, log);
  } catch (error) {
    log("fatal", "failed to start", { error: (error as Error).message });
    if (process.connected) process.disconnect();
    return exitFailed;
  }
  let isStopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (isStopping) return;
    isStopping = true;
    log("info", "received signal; shutting down", { signal });
    server
      ?.stop()
      .catch((error: Error) => log("error", "stopping failed", { error: error.message }));
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  launcherGone = () => stop("SIGTERM");
  server.ready.then(
    () => {
      log("info", "ready to serve client requests", {});
      tellAddresses(config, log);
      notifyReady(process.env, (reason) =>
        log("warn", "cannot tell the service manager that this member is ready", { reason }),
      );
      if (process.connected) process.send?.({ kind: "ready" });
    },
    (error: Error) => {
      log("fatal", "cannot listen for clients", { error: error.message });
      process.exit(exitFailed);
    },
  );
  const cause = await server.stopped;
  // An open channel to the launcher would keep this process alive.
  launcherGone = () => {};
  if (process.connected) process.disconnect();
  if (cause.error === undefined) return 0;
  log("fatal", "the member stopped on an error", { error: cause.error.message });
  return exitFailed;
}

function tellAddresses({ listenClients, listenClientHttp }: ServerConfig, log: Log): void {
  const isApart = listenClientHttp.length > 0;
  const tell = (address: Address, traffic: string): void => {
    const where = "socketPath" in address ? address.socketPath : `${address.host}:${address.port}`;
    const fields = { traffic, address: where };
    if (address.isTls) log("info", "serving client traffic securely", fields);
    else log("warn", "serving client traffic insecurely; this is strongly discouraged!", fields);
  };
  for (const address of listenClients) tell(address, isApart ? "grpc" : "grpc+http");
  for (const address of listenClientHttp) tell(address, "http");
}

/** @throws UsageError for a file that cannot be opened */
function openOutputs(outputs: readonly string[]): (line: string) => void {
  const writers = outputs.map(openOutput);
  return (line) => {
    for (const write of writers) write(line);
  };
}

function openOutput(output: string): (line: string) => void {
  if (output === "stdout") return (line) => void process.stdout.write(line);
  if (output === "stderr") return (line) => void process.stderr.write(line);
  try {
    const handle = fs.openSync(output, "a");
    return (line) => void fs.writeSync(handle, line);
  } catch (error) {
    throw new UsageError(`cannot open --log-outputs: ${(error as Error).message}`);
  }
}
