/**
 * The state machine, without any server around it, against real etcd 3.5: the same random commands,
 * the same answers, and the same HashKV at every revision that both can still hash. What etcd's
 * services refuse before it reaches the log is not applied here. LOCKSTEP_SEED=<number> repeats a
 * run.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Machine } from "../../src/state/apply.js";
import {
  applyCommand,
  type Command,
  foundMachine,
  JournalBackend,
} from "../../src/state/machine.fixture.js";
import { command, shown, shownKv } from "../../src/state/operations.fixture.js";
import type { KeyValue } from "../../src/wire/gen/kv.js";
import { KeyValue as KeyValueCodec } from "../../src/wire/gen/kv.js";
import type * as rpc from "../../src/wire/gen/rpc.js";
import { type EtcdClient, isServiceError } from "../support/client.js";
import { Cluster } from "../support/cluster.js";
import { runSeed } from "../support/seeded-rng.js";
import { isMissing } from "../support/server-kind.js";

const seed = runSeed();
const commandsPerRun = 400;
const runs = 3;
/** Refused by etcd's services: such a request is in no log. */
const refusedBefore =
  /key is not provided|value is provided|lease is provided|duplicate key|too many operations/;

/**
 * etcd sees no overlap between a deletion from a key on to the end and a put in one transaction,
 * and then breaks: it loses the row in the next compaction, or ends itself.
 */
function breaksEtcd(request: Command): boolean {
  if (request.$case !== "txn") return false;
  const ops: NonNullable<rpc.RequestOp["request"]>[] = [];
  const gather = (txn: rpc.TxnRequest): void => {
    for (const { request: op } of [...txn.success, ...txn.failure]) {
      if (op?.$case === "request_txn") gather(op.value);
      else if (op !== undefined) ops.push(op);
    }
  };
  gather(request.value);
  const deletesOn = ops.some(
    (op) => op.$case === "request_delete_range" && op.value.range_end.equals(Buffer.from([0])),
  );
  return deletesOn && ops.some((op) => op.$case === "request_put");
}

function kvOf(kv: KeyValue): unknown {
  return shownKv(KeyValueCodec.encode(kv).finish());
}

function answerOf(response: NonNullable<rpc.ResponseOp["response"]>): unknown {
  switch (response.$case) {
    case "response_range": {
      const { kvs, more, count } = response.value;
      return { kind: "range", kvs: kvs.map(kvOf), more, count: Number(count) };
    }
    case "response_put": {
      const { prev_kv } = response.value;
      return { kind: "put", prevKv: prev_kv && kvOf(prev_kv) };
    }
    case "response_delete_range": {
      const { deleted, prev_kvs } = response.value;
      return { kind: "deleteRange", deleted: Number(deleted), prevKvs: prev_kvs.map(kvOf) };
    }
    case "response_txn": {
      const { succeeded, responses } = response.value;
      return {
        kind: "txn",
        succeeded,
        responses: responses.map(({ response: inner }) => {
          if (inner === undefined) throw new Error("an answer without content");
          return { revision: Number(inner.value.header?.revision ?? 0n), outcome: answerOf(inner) };
        }),
      };
    }
  }
}

/** etcd's answer in the form of `shown`, or its error text. */
async function ask(client: EtcdClient, { $case, value: request }: Command): Promise<unknown> {
  switch ($case) {
    case "put":
      return answerOf({ $case: "response_put", value: await client.put(request) });
    case "delete_range":
      return answerOf({ $case: "response_delete_range", value: await client.deleteRange(request) });
    case "txn":
      return answerOf({ $case: "response_txn", value: await client.txn(request) });
    case "compaction":
      await client.compact({ ...request, physical: true });
      return { kind: "compaction" };
    case "lease_grant": {
      const { ID, TTL } = await client.leaseGrant(request);
      return { kind: "leaseGrant", id: ID, ttl: Number(TTL) };
    }
    case "lease_revoke":
      await client.leaseRevoke(request);
      return { kind: "leaseRevoke", id: request.ID };
    default:
      throw new Error(`etcd is not asked for ${$case}`);
  }
}

async function answerOrText(client: EtcdClient, request: Command): Promise<unknown> {
  try {
    return await ask(client, request);
  } catch (error) {
    if (isServiceError(error)) return error.details;
    throw error;
  }
}

function hashOf(machine: Machine, revision: number): unknown {
  const job = machine.kv.hashKv(revision);
  for (;;) {
    const result = job.step(3);
    if (result !== undefined) return [result.hash, result.compactRevision];
  }
}

function finishCompaction(machine: Machine): void {
  const revision = BigInt(machine.kv.compactRevision());
  while (machine.kv.finishedCompactRevision() < machine.kv.compactRevision()) {
    applyCommand(machine, { $case: "compact_step", value: { revision, rows_max: 10 } });
  }
}

async function compareHashes(client: EtcdClient, machine: Machine, skip: Set<number>) {
  const { kv } = machine;
  for (let revision = Math.max(1, kv.compactRevision()); revision <= kv.revision(); revision++) {
    // At these etcd answers from its memory of compactions, with the rows before it.
    if (skip.has(revision)) continue;
    const answer = await client.hashKv({ revision: BigInt(revision) });
    const hash = [answer.hash, Number(answer.compact_revision)];
    expect({ revision, hash: hashOf(machine, revision) }).toEqual({ revision, hash });
  }
}

describe.skipIf(isMissing("etcd35"))("as etcd 3.5", () => {
  test.each(Array.from({ length: runs }, (_, run) => seed + run))(
    "random commands, seed %d",
    async (runSeedOf) => {
      const cluster = await Cluster.start({ kind: "etcd35" });
      try {
        const { client } = cluster.first;
        const machine = foundMachine(new JournalBackend());
        const compactions = new Set<number>();
        const drawn = fc.sample(command({ compaction: 1 }), {
          numRuns: commandsPerRun,
          seed: runSeedOf,
        });
        for (const [at, draw] of drawn.entries()) {
          const request = draw(machine.kv.revision());
          if (breaksEtcd(request)) continue;
          const expected = await answerOrText(client, request);
          if (typeof expected === "string" && refusedBefore.test(expected)) continue;
          const { outcome } = applyCommand(machine, request);
          const actual = outcome instanceof Error ? outcome.message : shown(outcome);
          expect({ at, request, answer: actual }).toEqual({ at, request, answer: expected });
          if (request.$case === "compaction") {
            compactions.add(Number(request.value.revision));
            finishCompaction(machine);
          }
          if (at % 40 === 39) await compareHashes(client, machine, compactions);
        }
        expect(machine.kv.revision()).toBeGreaterThan(commandsPerRun / 4);
      } finally {
        await cluster.dispose();
      }
    },
  );
});
