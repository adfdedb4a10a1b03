/** The flags of all commands that say where and how the client connects, and as whom. */
import type { ChannelOptions } from "@grpc/grpc-js";
import { StartError } from "../../base/errors.js";
import { endpointsFromSrv, type ResolveSrv } from "../../platform/node/srv-records.js";
import { tlsFlags, tlsOf } from "../endpoint-tls.js";
import { askPassword, splitUser } from "./auth/password.js";
import { CtlClient, type CtlTimeouts, type CtlUser } from "./client.js";
import { CtlError, Exit, type Flags, type FlagTable, parseDuration } from "./flags.js";

export const clientFlags: FlagTable = {
  endpoints: "127.0.0.1:2379",
  "discovery-srv": "",
  "discovery-srv-name": "",
  "insecure-discovery": true,
  "command-timeout": "5s",
  "dial-timeout": "",
  "keepalive-time": "2s",
  "keepalive-timeout": "6s",
  "max-request-bytes": "0",
  "max-recv-bytes": "0",
  ...tlsFlags,
  "insecure-transport": true,
  user: "",
  password: "",
  "auth-jwt-token": "",
};

/** The largest message that etcd's clients send unless a flag allows more. */
const sentBytesMax = 2 * 1024 * 1024;
const receivedBytesMax = 2 ** 31 - 1;
/**
 * Servers refuse clients that ping more often. grpc-go, and so etcdctl, takes a shorter time for
 * this one.
 */
const pingMsMin = 10_000;

/** @throws CtlError */
export async function clientOf(flags: Flags): Promise<CtlClient> {
  const token = flags.text("auth-jwt-token");
  if (token !== "" && flags.text("user") !== "") {
    throw new CtlError("--auth-jwt-token and --user both say who calls: give one", Exit.badArgs);
  }
  const channel = channelOptionsOf(flags);
  const tls = tlsOf(flags);
  return new CtlClient(await endpointsOf(flags), timeoutsOf(flags), {
    ...{ channel, tls },
    user: await userOf(flags),
    token: token === "" ? undefined : token,
  });
}

/** @throws CtlError */
export function channelOptionsOf(flags: Flags): ChannelOptions {
  const domain = flags.isOn("insecure-discovery") ? "" : flags.text("discovery-srv");
  return {
    "grpc.max_send_message_length": bytesOf(flags, "max-request-bytes", sentBytesMax),
    "grpc.max_receive_message_length": bytesOf(flags, "max-recv-bytes", receivedBytesMax),
    "grpc.keepalive_time_ms": Math.max(pingMsMin, durationOf(flags, "keepalive-time")),
    "grpc.keepalive_timeout_ms": durationOf(flags, "keepalive-timeout"),
    // An attacker who forges DNS must not choose the name that the certificate is checked for.
    ...(domain === "" ? {} : { "grpc.ssl_target_name_override": domain }),
  };
}

/** 0 stands for the default. */
function bytesOf(flags: Flags, name: string, initial: number): number {
  const bytes = flags.integer(name);
  if (bytes < 0n || bytes > BigInt(receivedBytesMax)) {
    throw new CtlError(
      `invalid argument "${bytes}" for "--${name}" flag: it is a number of bytes, 0 (the default) to ${receivedBytesMax}`,
    );
  }
  return bytes === 0n ? initial : Number(bytes);
}

function durationOf(flags: Flags, name: string): number {
  return parseDuration(name, flags.text(name));
}

/**
 * The endpoints that DNS names, or those of --endpoints. With --insecure-transport=false an endpoint
 * without a scheme uses TLS.
 */
export async function endpointsOf(flags: Flags, resolve?: ResolveSrv): Promise<string[]> {
  const domain = flags.text("discovery-srv");
  if (domain !== "") return discovered(flags, domain, resolve);
  const isSecure = !flags.isOn("insecure-transport");
  return flags
    .text("endpoints")
    .split(",")
    .map((endpoint) => (isSecure && !endpoint.includes(":/") ? `https://${endpoint}` : endpoint));
}

async function discovered(
  flags: Flags,
  domain: string,
  resolve: ResolveSrv | undefined,
): Promise<string[]> {
  let all: string[];
  try {
    all = await endpointsFromSrv(domain, flags.text("discovery-srv-name"), resolve);
  } catch (error) {
    throw error instanceof StartError ? new CtlError(error.message) : error;
  }
  if (flags.isOn("insecure-discovery")) return all;
  const secure = all.filter((endpoint) => endpoint.startsWith("https:"));
  for (const endpoint of all) {
    if (secure.includes(endpoint)) continue;
    process.stderr.write(`ignoring discovered insecure endpoint "${endpoint}"\n`);
  }
  if (secure.length > 0) return secure;
  throw new CtlError(
    `--insecure-discovery=false: ${domain} names only endpoints without TLS (${all.join(", ")})`,
  );
}

/** The user who logs in. Undefined: none does. Asks for a password if the flags give none. */
async function userOf(flags: Flags): Promise<CtlUser | undefined> {
  const text = flags.text("user");
  if (text === "") return undefined;
  const given = flags.text("password");
  if (given !== "") return { name: text, password: given };
  const { name, password } = splitUser(text);
  return { name, password: password ?? (await askPassword("Password: ")) };
}

/**
 * Like etcdctl, it tries to connect for as long as the command may take, unless a flag says
 * otherwise.
 */
function timeoutsOf(flags: Flags): CtlTimeouts {
  const commandMs = durationOf(flags, "command-timeout");
  const dialMs = flags.text("dial-timeout") === "" ? 0 : durationOf(flags, "dial-timeout");
  return { commandMs, dialMs: dialMs === 0 ? commandMs : dialMs };
}
