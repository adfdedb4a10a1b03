/**
 * The floor under a put without any transport: one member with real disk, fsync and LMDB in this
 * process, raft, write-ahead log, apply and digest, driven by direct proposals. Prints puts a second
 * and the CPU time of one. Options: --puts <n>, --in-flight <n>.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { complete } from "../src/cli/ctl/method.js";
import { defaultMemberConfig, type MemberConfig } from "../src/member/config.js";
import { noClient } from "../src/member/gate/requests.js";
import type { RunningMember } from "../src/member/member.js";
import { startMember } from "../src/member/start.js";
import type { Network } from "../src/platform/network.js";
import { nodeClock } from "../src/platform/node/clock.js";
import { createNodePasswords } from "../src/platform/node/credentials/passwords.js";
import { createNodeDisk } from "../src/platform/node/disk.js";
import { nodeHash } from "../src/platform/node/hash.js";
import { createLmdbBackendStore } from "../src/platform/node/lmdb/backend.js";
import { nodeRng } from "../src/platform/node/rng.js";
import { PutRequest } from "../src/wire/gen/rpc.js";
import { RequestField } from "../src/wire/proposal.js";
import { percentile } from "./load/latencies.js";
import { describeMachine } from "./record/machine.js";

const { values } = parseArgs({
  options: {
    puts: { type: "string", default: "200000" },
    "in-flight": { type: "string", default: "1000" },
  },
});
const puts = Number(values.puts);
const inFlightMax = Number(values["in-flight"]);

/** A member alone has nobody to talk to. */
const noNetwork: Network = {
  send: () => undefined,
  setPeer: () => undefined,
  removePeer: () => undefined,
  activeSince: () => undefined,
  traffic: () => [],
  fetchCluster: (_urls, done) => done(new Error("there are no peers")),
  sharesAddress: (_some, _others, done) => done(false),
  close: () => undefined,
};

function start(folder: string): Promise<RunningMember> {
  const peerUrls = ["http://127.0.0.1:1"];
  const config: MemberConfig = {
    ...defaultMemberConfig,
    name: "bench",
    initialCluster: [{ name: "bench", peerUrls }],
    advertisePeerUrls: peerUrls,
    advertiseClientUrls: ["http://127.0.0.1:2"],
  };
  const platform = {
    clock: nodeClock,
    rng: nodeRng,
    hash: nodeHash,
    disk: createNodeDisk(folder, () => undefined),
    backends: createLmdbBackendStore(join(folder, "member", "snap")),
    passwords: createNodePasswords(() => {}),
    signer: undefined,
    connect: () => noNetwork,
    log: () => undefined,
  };
  return new Promise((resolve, reject) => {
    startMember(platform, config, (result) => {
      if (result instanceof Error) reject(result);
      else result.onReady(() => resolve(result));
    });
  });
}

/** Proposes `count` puts, `inFlightMax` at a time, refilled once a turn as sockets would. */
function drive(member: RunningMember, count: number): Promise<number[]> {
  const value = Buffer.alloc(256, "v");
  const bodies = Array.from({ length: 1_000 }, (_, i) =>
    PutRequest.encode(complete(PutRequest, { key: Buffer.from(`key/${i}`), value })).finish(),
  );
  const latencies: number[] = [];
  return new Promise((resolve, reject) => {
    let proposed = 0;
    let inFlight = 0;
    let isRefillDue = false;
    const refill = (): void => {
      isRefillDue = false;
      while (inFlight < inFlightMax && proposed < count) {
        const body = bodies[proposed++ % bodies.length] as Uint8Array;
        const startedAt = performance.now();
        inFlight++;
        const request = { field: RequestField.put, body, growthBytes: body.length };
        member.write("/etcdserverpb.KV/Put", { ...request, client: noClient }, (result) => {
          if (result instanceof Error) reject(result);
          latencies.push(performance.now() - startedAt);
          inFlight--;
          if (latencies.length === count) resolve(latencies);
          else if (!isRefillDue) {
            isRefillDue = true;
            setImmediate(refill);
          }
        });
      }
    };
    refill();
  });
}

const folder = mkdtempSync(join(tmpdir(), "lockstep-bench-"));
try {
  console.log(describeMachine());
  const member = await start(folder);
  await drive(member, puts / 10);
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  const latencies = (await drive(member, puts)).sort((x, y) => x - y);
  const seconds = (performance.now() - startedAt) / 1_000;
  const cpu = process.cpuUsage(cpuBefore);
  const cpuEach = (cpu.user + cpu.system) / puts;
  const [p50, p99] = [percentile(latencies, 0.5), percentile(latencies, 0.99)];
  console.log(
    `in process, 1 member, ${inFlightMax} in flight: ${Math.round(puts / seconds)} puts/s, ` +
      `p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms, ${cpuEach.toFixed(1)} µs CPU each`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
