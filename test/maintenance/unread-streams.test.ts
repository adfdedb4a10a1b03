/** Snapshot streams that nobody reads: a bounded number of them, and they cost nobody else anything. */
import type * as grpc from "@grpc/grpc-js";
import { afterEach, expect, test } from "vitest";
import { clientViewsMax } from "../../src/storage/state-views.js";
import type { SnapshotResponse } from "../../src/wire/gen/rpc.js";
import { bytes, EtcdClient } from "../support/client.js";
import { Cluster } from "../support/cluster.js";

let cluster: Cluster | undefined;
let reader: EtcdClient | undefined;
afterEach(async () => {
  reader?.close();
  await cluster?.dispose();
});

test("200 streams that nobody reads, a put between: 32 are served, the others told why", async () => {
  cluster = await Cluster.start({ kind: "lockstep" });
  const { first } = cluster;
  for (let at = 0; at < 40; at++) {
    await first.client.put({ key: bytes(`fill-${at}`), value: Buffer.alloc(100_000, at) });
  }
  reader = new EtcdClient(first.endpoint);
  const streams: grpc.ClientReadableStream<SnapshotResponse>[] = [];
  const refused: grpc.ServiceError[] = [];
  const opening: Promise<void>[] = [];
  for (let at = 0; at < 200; at++) {
    const stream = reader.snapshotStream();
    streams.push(stream);
    opening.push(
      new Promise<void>((resolve) => {
        stream.once("data", () => {
          stream.pause();
          resolve();
        });
        stream.on("error", (error: grpc.ServiceError) => {
          refused.push(error);
          resolve();
        });
      }),
    );
    await first.client.put({ key: bytes(`between-${at}`), value: bytes("1") });
  }
  await Promise.all(opening);
  expect(refused).toHaveLength(200 - clientViewsMax);
  for (const error of refused) {
    expect(error.code).toBe(8);
    expect(error.details).toContain("this member serves 32 snapshots and hashes at a time");
  }
  // Others go on meanwhile: puts, a defragmentation, another client's reads.
  await first.client.put({ key: bytes("meanwhile"), value: bytes("1") });
  await first.client.defragment({}, { timeoutMs: 60_000 });
  await first.client.put({ key: bytes("meanwhile"), value: bytes("2") });
  expect(await first.client.hash({}).catch((error: grpc.ServiceError) => error.code)).toBe(8);
  // Whoever leaves makes room.
  for (const stream of streams) stream.cancel();
  await expect
    .poll(
      () =>
        first.client.hash({}).then(
          () => true,
          () => false,
        ),
      { timeout: 20_000 },
    )
    .toBe(true);
  expect(first.isRunning).toBe(true);
}, 120_000);

test("a member with unread streams and hashes under way stops at once, and cleanly", async () => {
  cluster = await Cluster.start({ kind: "lockstep" });
  const { first } = cluster;
  for (let from = 0; from < 20_000; from += 500) {
    await Promise.all(
      Array.from({ length: 500 }, (_, at) =>
        first.client.put({ key: bytes(`fill-${from + at}`), value: Buffer.alloc(300, at) }),
      ),
    );
  }
  reader = new EtcdClient(first.endpoint);
  const client = reader;
  const codes: number[] = [];
  const told = (error: grpc.ServiceError): void => void codes.push(error.code);
  for (let at = 0; at < 10; at++) {
    const stream = client.snapshotStream();
    stream.on("error", told);
    await new Promise<void>((resolve) => {
      stream.once("data", () => {
        stream.pause();
        resolve();
      });
    });
  }
  const asked = [
    ...[1, 2, 3].map(() => client.hashKv({ revision: 0n })),
    ...[1, 2, 3].map(() => client.hash({})),
    client.defragment({}),
  ];
  const ends = asked.map((call) =>
    call.then(
      () => 0,
      (error: grpc.ServiceError) => error.code,
    ),
  );
  expect((await first.stop()).code).toBe(0);
  // Each stream was answered or got Unavailable; none got damage or an internal error.
  for (const code of await Promise.all(ends)) expect([0, 1, 14]).toContain(code);
  expect(first.process.log()).not.toMatch(/"level":"error"|damaged/);
  await first.start();
  expect((await first.client.range({ key: bytes("fill-1") })).count).toBe(1n);
}, 120_000);
