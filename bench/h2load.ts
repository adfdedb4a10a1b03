/**
 * h2load as the neutral client: the same gRPC request over and over from a file, on `connections`
 * with `streams` in flight each. Latencies come from its per-request log.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

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

export interface LoadResult {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Bytes in DATA frames of the answers: an error answer has none. */
  readonly answerBytes: number;
}

function framed(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

function matched(text: string, pattern: RegExp): string {
  const group = pattern.exec(text)?.[1];
  if (group === undefined) throw new Error(`h2load printed no ${pattern}:\n${text}`);
  return group;
}

/** @throws when a request failed or was not answered with HTTP status 200. */
export async function runLoad(plan: LoadPlan): Promise<LoadResult> {
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
    const latencies = readFileSync(log, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => Number(line.split("\t")[2]) / 1_000)
      .sort((x, y) => x - y);
    return {
      perSecond: Number(matched(stdout, /finished in [^,]+, ([\d.]+) req\/s/)),
      p50Ms: percentile(latencies, 0.5),
      p99Ms: percentile(latencies, 0.99),
      answerBytes: Number(matched(stdout, /\((\d+)\) data/)),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
