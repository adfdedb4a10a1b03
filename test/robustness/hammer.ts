/**
 * Every call that reads, at one member, over and over, beside a few that write: what each was answered is
 * counted by code and text. A call that the member left without an answer counts as Unavailable, as
 * clients see it.
 */
import { status as Code } from "@grpc/grpc-js";
import { ReportRequest, ReportResponse } from "../../src/wire/gen/integrity.js";
import { bytes, type EtcdClient, isServiceError } from "../support/client.js";
import { Watcher } from "../support/watcher.js";

export const prefix = { key: bytes("k"), range_end: bytes("l") };

/** By name of the call; each resolves when it was answered and rejects with the answer's error. */
const calls: Readonly<Record<string, (client: EtcdClient, turn: number) => Promise<unknown>>> = {
  "serializable range": (client) => client.range({ ...prefix, serializable: true }),
  "serializable get": (client) => client.range({ key: bytes("k0001"), serializable: true }),
  "linearizable range": (client) => client.range({ ...prefix, limit: 100n }),
  "read-only txn": (client) =>
    client.txn({
      success: [
        { request: { $case: "request_range", value: { ...emptyRange, ...prefix } } },
      ] as never,
    }),
  put: (client, turn) => client.put({ key: bytes(`p${turn % 50}`), value: bytes(`${turn}`) }),
  "watch of the past": watchPast,
  "lease grant": (client) => client.leaseGrant({ TTL: 60n }),
  leases: (client) => client.leases({}),
  "lease time to live": (client) => client.leaseTimeToLive({ ID: 1n, keys: true }),
  "lease keep alive": keepAlive,
  "hash of the keys": (client) => client.hashKv({}),
  "hash of all": (client) => client.hash({}),
  snapshot: readSnapshot,
  status: (client) => client.status({}),
  alarm: (client) => client.alarm({}),
  defragment: (client, turn) => (turn % 20 === 7 ? client.defragment({}) : client.status({})),
  "member list": (client) => client.memberList({}),
  "integrity report": report,
};

const emptyRange = {
  limit: 0n,
  revision: 0n,
  sort_order: 0,
  sort_target: 0,
  serializable: true,
  keys_only: false,
  count_only: false,
  min_mod_revision: 0n,
  max_mod_revision: 0n,
  min_create_revision: 0n,
  max_create_revision: 0n,
};

export const callNames: readonly string[] = Object.keys(calls);

async function watchPast(client: EtcdClient): Promise<void> {
  const watcher = new Watcher(client);
  try {
    watcher.create({ ...prefix, start_revision: 2n });
    for (let seen = 0; seen < 100; ) seen += (await watcher.next()).events.length;
  } finally {
    watcher.close();
  }
}

function keepAlive(client: EtcdClient): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = client.keepAliveStream();
    stream.on("error", reject);
    stream.on("end", () => reject(new Error("the stream ended without an answer")));
    stream.on("data", () => {
      stream.on("error", () => {});
      stream.cancel();
      resolve();
    });
    stream.write({ ID: 1n });
  });
}

function readSnapshot(client: EtcdClient): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = client.snapshotStream();
    stream.on("error", reject);
    stream.on("end", resolve);
    stream.resume();
  });
}

function report(client: EtcdClient): Promise<unknown> {
  return new Promise((resolve, reject) => {
    client.channel.makeUnaryRequest(
      "/lockstep.Integrity/Report",
      (request: ReportRequest) => Buffer.from(ReportRequest.encode(request).finish()),
      (answer: Buffer) => ReportResponse.decode(answer),
      { present_only: false },
      (error, answer) => (error === null ? resolve(answer) : reject(error)),
    );
  });
}

export class Hammer {
  /** "call: code text" -> how often. */
  readonly answers = new Map<string, number>();
  #isOn = true;
  #ok = 0;
  #told: (() => void) | undefined;
  readonly #loops: Promise<void>[];

  /** `width`: loops of each call at each client. */
  constructor(
    clients: readonly EtcdClient[],
    options: { readonly width: number; readonly names?: readonly string[] },
  ) {
    const { width, names = callNames } = options;
    this.#loops = clients.flatMap((client) =>
      names.flatMap((name) => Array.from({ length: width }, () => this.#run(client, name))),
    );
  }

  /** Resolves when so many more calls were answered with OK. */
  answered(count: number): Promise<void> {
    const due = this.#ok + count;
    return new Promise((resolve) => {
      this.#told = () => {
        if (this.#ok >= due) resolve();
      };
    });
  }

  async end(): Promise<void> {
    this.#isOn = false;
    await Promise.all(this.#loops);
  }

  async #run(client: EtcdClient, name: string): Promise<void> {
    const call = calls[name] as (client: EtcdClient, turn: number) => Promise<unknown>;
    for (let turn = 0; this.#isOn; turn++) {
      try {
        await call(client, turn);
        this.#count(`${name}: OK`);
        this.#ok++;
        this.#told?.();
      } catch (error) {
        this.#count(`${name}: ${textOf(error)}`);
        // Not to hammer the connection when the member is gone.
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  }

  #count(answer: string): void {
    this.answers.set(answer, (this.answers.get(answer) ?? 0) + 1);
  }
}

function textOf(error: unknown): string {
  if (!isServiceError(error)) return `NO ANSWER ${(error as Error).message}`;
  const text = error.details
    .replace(/127\.0\.0\.1:\d+/g, "<address>")
    .replace(/Resolution note.*/, "");
  return `${Code[error.code]} ${text}`;
}
