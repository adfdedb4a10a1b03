/**
 * The command check perf: puts at a fixed rate from many clients for a minute, and judges as
 * etcdctl does: the rate that was reached, the slowest put, and how much the puts differ. It
 * deletes its keys at the end.
 */

import { type Command, type Context, print } from "../context.js";
import { Exit, parseDuration } from "../flags.js";
import { methods } from "../method.js";
import { cleanUp, cleanUpFlags, loadOf, prefixMustBeFree } from "./check-common.js";

interface Load {
  readonly clients: number;
  /** How many puts to send in a second. */
  readonly rate: number;
}

const loads: Readonly<Record<string, Load>> = {
  s: { clients: 50, rate: 150 },
  m: { clients: 200, rate: 1_000 },
  l: { clients: 500, rate: 8_000 },
  xl: { clients: 1_000, rate: 15_000 },
};
const valueBytes = 1_024;
const slowestMs = 500;
const spreadMs = 100;
const enough = 0.9;

interface Result {
  readonly tookMs: readonly number[];
  readonly errors: ReadonlyMap<string, number>;
}

async function putAll(context: Context, load: Load, durationMs: number): Promise<Result> {
  const { client, flags } = context;
  const prefix = flags.text("prefix");
  const value = Buffer.alloc(valueBytes);
  const tookMs: number[] = [];
  const errors = new Map<string, number>();
  const startMs = performance.now();
  let sent = 0;
  /** Sends each put at its time by the rate. A client that is late catches up. */
  const work = async (): Promise<void> => {
    for (;;) {
      const number = sent++;
      const dueMs = startMs + (number * 1_000) / load.rate;
      if (dueMs - startMs >= durationMs) return;
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      if (performance.now() - startMs >= durationMs) return;
      const beganMs = performance.now();
      try {
        await client.call(methods.put, { key: Buffer.from(`${prefix}${number}`), value });
        tookMs.push(performance.now() - beganMs);
      } catch (error) {
        const text = (error as Error).message;
        errors.set(text, (errors.get(text) ?? 0) + 1);
      }
    }
  };
  await Promise.all(Array.from({ length: load.clients }, work));
  return { tookMs, errors };
}

/** Prints the verdicts. Returns true if all passed. */
function judge({ tookMs, errors }: Result, load: Load, durationMs: number): boolean {
  let isGood = true;
  const tell = (isPass: boolean, text: string): void => {
    isGood &&= isPass;
    print(`${isPass ? "PASS" : "FAIL"}: ${text}\n`);
  };
  for (const [text, count] of errors) tell(false, `${count} x ${text}`);
  const rate = (tookMs.length * 1_000) / durationMs;
  const isFast = rate > load.rate * enough;
  tell(isFast, `Throughput ${isFast ? "is" : "too low:"} ${Math.round(rate)} writes/s`);
  const slowest = tookMs.reduce((max, ms) => Math.max(max, ms), 0);
  const isQuick = slowest <= slowestMs;
  tell(isQuick, `Slowest request took${isQuick ? "" : " too long:"} ${seconds(slowest)}`);
  const mean = tookMs.reduce((sum, ms) => sum + ms, 0) / Math.max(1, tookMs.length);
  const squares = tookMs.reduce((sum, ms) => sum + (ms - mean) ** 2, 0);
  const stddev = Math.sqrt(squares / Math.max(1, tookMs.length));
  const isEven = stddev <= spreadMs;
  tell(isEven, `Stddev ${isEven ? "is" : "too high:"} ${seconds(stddev)}`);
  print(isGood ? "PASS\n" : "FAIL\n");
  return isGood;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(6)}s`;
}

async function checkPerf(context: Context): Promise<number> {
  const { flags } = context;
  const load = loadOf(loads, flags);
  const durationMs = parseDuration("duration", flags.text("duration"));
  await prefixMustBeFree(context);
  const isGood = judge(await putAll(context, load, durationMs), load, durationMs);
  await cleanUp(context);
  return isGood ? 0 : Exit.failed;
}

export const checkPerfCommands: Readonly<Record<string, Command>> = {
  "check perf": {
    about: "writes at a fixed rate and says whether the cluster keeps up",
    flags: {
      ...{ load: "s", prefix: "/etcdctl-check-perf/", duration: "60s" },
      ...cleanUpFlags,
    },
    run: checkPerf,
  },
};
