/**
 * h2load as the neutral client: the same gRPC request over and over from a file, on `connections`
 * with `streams` in flight each. Latencies come from its per-request log.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type LoadResult, resultOf } from "./latencies.js";

export interface LoadPlan {
  readonly endpoint: string;
  /** "/etcdserverpb.KV/Put" */
  readonly path: string;
  /** The protobuf message, without gRPC's prefix. */
  readonly message: Uint8Array;
  readonly requests: number;
  readonly connections: number;
  readonly streams: number;
}

/** `answerBytes`: in DATA frames of the answers; an error answer has none. */
export type H2loadResult = LoadResult & { readonly answerBytes: number };

function framed(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function matched(text: string, pattern: RegExp): string {
  const group = pattern.exec(text)?.[1];
  if (group === undefined) throw new Error(`h2load printed no ${pattern}:\n${text}`);
  return group;
}

/** @throws when a request failed or was not answered with HTTP status 200. */
export async function runLoad(plan: LoadPlan): Promise<H2loadResult> {
  const folder = mkdtempSync(join(tmpdir(), "lockstep-bench-"));
  try {
    const body = join(folder, "body");
    const log = join(folder, "log");
    writeFileSync(body, framed(plan.message));
    const args = ["-n", String(plan.requests), "-c", String(plan.connections)];
    args.push("-m", String(plan.streams), "-d", body, `--log-file=${log}`);
    args.push("-H", "content-type: application/grpc", "-H", "te: trailers");
    args.push(`http://${plan.endpoint}${plan.path}`);
    const options = { maxBuffer: 1 << 26 };
    const { stdout } = await promisify(execFile)("h2load", args, options);
    const succeeded = Number(matched(stdout, /(\d+) succeeded/));
    const ok = Number(matched(stdout, /status codes: (\d+) 2xx/));
    if (succeeded !== plan.requests || ok !== plan.requests) {
      throw new Error(`h2load: not every request was answered:\n${stdout}`);
    }
    const lines = readFileSync(log, "latin1").trimEnd().split("\n");
    const latencies = Float64Array.from(lines, (line) => Number(line.split("\t")[2]) / 1_000);
    const perSecond = Number(matched(stdout, /finished in [^,]+, ([\d.]+) req\/s/));
    return {
      ...resultOf(plan.requests, plan.requests / perSecond, latencies),
      answerBytes: Number(matched(stdout, /\((\d+)\) data/)),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
