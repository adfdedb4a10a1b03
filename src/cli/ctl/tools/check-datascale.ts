/**
 * check datascale: puts many keys, and says by how much the first endpoint's process grew, as its
 * metric process_resident_memory_bytes tells. It deletes its keys at the end.
 */
import { tlsOf } from "../../endpoint-tls.js";
import { type Command, type Context, print } from "../context.js";
import { CtlError, Exit } from "../flags.js";
import { methods } from "../method.js";
import { cleanUp, cleanUpFlags, loadOf, prefixMustBeFree } from "./check-common.js";
import { metricsOf } from "./metrics-page.js";

interface Load {
  readonly keys: number;
  readonly clients: number;
}

const loads: Readonly<Record<string, Load>> = {
  s: { keys: 10_000, clients: 50 },
  m: { keys: 100_000, clients: 200 },
  l: { keys: 1_000_000, clients: 500 },
  xl: { keys: 3_000_000, clients: 1_000 },
};
/** Bytes of a key with its prefix, and of its value: 1,024 for both. */
const keyBytes = 512;
const valueBytes = 512;
const memoryLine = /^process_resident_memory_bytes ([\d.e+]+)$/m;

async function checkDatascale(context: Context): Promise<number> {
  const { flags } = context;
  const { keys: usual, clients } = loadOf(loads, flags);
  const given = Number(flags.integer("keys"));
  if (given < 0) throw new CtlError("--keys must be 0 (as --load says) or more", Exit.badArgs);
  const keys = given === 0 ? usual : given;
  await prefixMustBeFree(context);
  const before = await residentBytes(context);
  print(
    `Start data scale check for work load [${keys} key-value pairs, ${keyBytes + valueBytes} bytes per key-value, ${clients} concurrent clients].\n`,
  );
  const errors = await putAll(context, keys, clients);
  const after = await residentBytes(context);
  await cleanUp(context);
  if (errors.size > 0) {
    print("FAIL: too many errors\n");
    for (const [text, count] of errors) print(`FAIL: ERROR(${text}) -> ${count}\n`);
    return Exit.failed;
  }
  const megabytes = (after - before) / (1024 * 1024);
  print(`PASS: Approximate system memory used : ${megabytes.toFixed(2)} MB.\n`);
  return 0;
}

/** Returns how often each error came. */
async function putAll(
  { client, flags }: Context,
  keys: number,
  clients: number,
): Promise<ReadonlyMap<string, number>> {
  const prefix = flags.text("prefix");
  const value = Buffer.alloc(valueBytes);
  const errors = new Map<string, number>();
  let sent = 0;
  const work = async (): Promise<void> => {
    for (let number = sent++; number < keys; number = sent++) {
      const key = Buffer.from(`${prefix}${number}`.padEnd(keyBytes, "."));
      try {
        await client.call(methods.put, { key, value });
      } catch (error) {
        const text = (error as Error).message;
        errors.set(text, (errors.get(text) ?? 0) + 1);
      }
    }
  };
  await Promise.all(Array.from({ length: clients }, work));
  return errors;
}

/** @throws CtlError when the first endpoint does not tell */
async function residentBytes({ client, flags }: Context): Promise<number> {
  const [endpoint = ""] = client.endpoints;
  const bytes = Number(memoryLine.exec(await metricsOf(endpoint, tlsOf(flags)))?.[1]);
  if (bytes > 0) return bytes;
  throw new CtlError(
    `${endpoint}/metrics has no process_resident_memory_bytes: is it an address that serves metrics?`,
  );
}

export const checkDatascaleCommands: Readonly<Record<string, Command>> = {
  "check datascale": {
    about: "writes many keys and says how much memory the first endpoint's process needs for them",
    flags: {
      ...{ load: "s", prefix: "/etcdctl-check-datascale/", keys: "0" },
      ...cleanUpFlags,
    },
    run: checkDatascale,
  },
};
