/**
 * Requests that a careless or hostile client sends: valid ones, some of them damaged on the way.
 * The log keeps a request as the bytes that came. So every member must be able to apply whatever a
 * service accepts, now and at every replay.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Done } from "../base/done.js";
import { KvError } from "../base/errors.js";
import { gateMethods } from "../member/gate/gate.fixture.js";
import { AnswerBudget } from "../member/jobs/answer-budget.js";
import { Reads } from "../member/jobs/reads.js";
import { EntryEncoder } from "../member/turns/request-codec.js";
import type { Member } from "../member/types.js";
import type { Clock } from "../platform/clock.js";
import { nodeHash } from "../platform/node/hash.js";
import {
  applyData,
  type Command,
  compareOf,
  deleteOf,
  firstMember,
  foundMachine,
  JournalBackend,
  putOf,
  rangeOf,
  txnOf,
} from "../state/machine.fixture.js";
import { command, type Drawn, range } from "../state/operations.fixture.js";
import type { Applied } from "../state/types.js";
import type { JobHandle, Jobs, SlicedWork } from "../storage/jobs.js";
import {
  CompactionRequest,
  CompactionResponse,
  DeleteRangeRequest,
  DeleteRangeResponse,
  LeaseGrantRequest,
  LeaseGrantResponse,
  LeaseRevokeRequest,
  LeaseRevokeResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  TxnRequest,
  TxnResponse,
} from "../wire/gen/rpc.js";
import { RequestField } from "../wire/proposal.js";
import { callUnary } from "./call.fixture.js";
import { allMethods } from "./services.js";

/** A cluster of one member: it applies a proposal at once. */
function loneMember() {
  const machine = foundMachine(new JournalBackend());
  const encoder = new EntryEncoder(firstMember);
  const log: Uint8Array[] = [];
  const clock = { now: () => 0, after: () => ({ cancel: () => {} }) } as unknown as Clock;
  const runAtOnce = (work: SlicedWork): JobHandle => {
    while (work.step(512) === "more");
    return { cancel: () => {}, wake: () => {} };
  };
  const reads = new Reads({
    jobs: { start: runAtOnce } as unknown as Jobs,
    clock,
    budget: new AnswerBudget(clock),
    machine: () => machine,
    refusal: () => undefined,
    whenSure: (done) => done(undefined),
    requestFailed: (error) => {
      if (error instanceof KvError) return error;
      throw error;
    },
  });
  const apply = (field: RequestField, body: Uint8Array, done: Done<Applied>): void => {
    const data = encoder.encode(log.length + 1, field, body);
    log.push(data);
    done(applyData(machine, data));
  };
  const member = {
    id: firstMember,
    clusterId: 0xc1n,
    limits: { txnOpsMax: 8 },
    machine,
    term: () => 2,
    leader: () => firstMember,
    readRange: (...asked: Parameters<Reads["range"]>) => reads.range(...asked),
    readTxn: (...asked: Parameters<Reads["txn"]>) => reads.txn(...asked),
    ...gateMethods({ propose: ({ field, body }, done) => apply(field, body, done) }),
    compact: (...[, { revision, physical }, done]: Parameters<Member["compact"]>) => {
      const body = CompactionRequest.encode({ revision: BigInt(revision), physical }).finish();
      apply(RequestField.compaction, body, (applied) => {
        if (applied instanceof KvError) done(applied);
        else done(applied.outcome instanceof KvError ? applied.outcome : applied.revision);
      });
    },
    leaseGrant: (...[, { id: ID, ttl }, done]: Parameters<Member["leaseGrant"]>) => {
      const body = LeaseGrantRequest.encode({ ID, TTL: BigInt(ttl) }).finish();
      apply(RequestField.leaseGrant, body, (applied) => {
        if (applied instanceof KvError) done(applied);
        else if (applied.outcome instanceof KvError) done(applied.outcome);
        else done({ id: ID, ttl, revision: applied.revision } as never);
      });
    },
  } as unknown as Member;
  return { machine, log, methods: allMethods(member, nodeHash) };
}

interface Sent {
  readonly path: string;
  readonly request: Uint8Array;
  readonly response: { decode(message: Uint8Array): unknown };
}

function sentOf({ $case, value }: Command): Sent {
  const kv = "/etcdserverpb.KV/";
  const lease = "/etcdserverpb.Lease/";
  switch ($case) {
    case "put":
      return {
        path: `${kv}Put`,
        request: PutRequest.encode(value).finish(),
        response: PutResponse,
      };
    case "delete_range":
      return {
        path: `${kv}DeleteRange`,
        request: DeleteRangeRequest.encode(value).finish(),
        response: DeleteRangeResponse,
      };
    case "txn":
      return {
        path: `${kv}Txn`,
        request: TxnRequest.encode(value).finish(),
        response: TxnResponse,
      };
    case "compaction":
      return {
        path: `${kv}Compact`,
        request: CompactionRequest.encode(value).finish(),
        response: CompactionResponse,
      };
    case "lease_grant":
      return {
        path: `${lease}LeaseGrant`,
        request: LeaseGrantRequest.encode(value).finish(),
        response: LeaseGrantResponse,
      };
    case "lease_revoke":
      return {
        path: `${lease}LeaseRevoke`,
        request: LeaseRevokeRequest.encode(value).finish(),
        response: LeaseRevokeResponse,
      };
    default:
      throw new Error(`no service takes ${$case}`);
  }
}

const sent: fc.Arbitrary<Drawn<Sent>> = fc.oneof(
  {
    weight: 8,
    arbitrary: command({ compaction: 1 }).map((drawn) => (at: number) => sentOf(drawn(at))),
  },
  {
    weight: 2,
    arbitrary: range.map((drawn) => (at: number) => ({
      path: "/etcdserverpb.KV/Range",
      request: RangeRequest.encode(drawn(at)).finish(),
      response: RangeResponse,
    })),
  },
);

/** Places are fractions, because the length is not known when they are drawn. */
const damage = fc.record({
  kind: fc.constantFrom("none", "none", "cut", "flip", "insert", "twice", "overwrite"),
  place: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  bytes: fc.array(fc.oneof(fc.constantFrom(0, 0x0a, 0x12, 0x22, 0x7f, 0xff), fc.nat(255)), {
    minLength: 1,
    maxLength: 3,
  }),
});

function damaged(
  request: Uint8Array,
  { kind, place, bytes }: typeof damage extends fc.Arbitrary<infer T> ? T : never,
): Uint8Array {
  const at = Math.floor(place * request.length);
  const [head, tail] = [request.subarray(0, at), request.subarray(at)];
  if (kind === "cut") return head;
  if (kind === "twice") return Buffer.concat([request, request]);
  if (kind === "insert") return Buffer.concat([head, Uint8Array.from(bytes), tail]);
  const copy = Uint8Array.from(request);
  if (kind === "flip" && copy.length > 0) copy[at] = (copy[at] as number) ^ (bytes[0] as number);
  if (kind === "overwrite") copy.set(bytes.slice(0, copy.length - at), at);
  return copy;
}

test("each is answered once, with a message or a client's error, and can be replayed", () => {
  let answers = 0;
  let refusals = 0;
  fc.assert(
    fc.property(fc.array(fc.tuple(sent, damage), { maxLength: 30 }), (requests) => {
      const { machine, log, methods } = loneMember();
      for (const [drawn, harm] of requests) {
        const { path, request, response } = drawn(machine.kv.revision());
        const { answer, status } = callUnary(methods, path, damaged(request, harm));
        // The generated decoder takes what the hand-written encoder made.
        if (answer !== undefined) {
          response.decode(answer);
          answers++;
        } else {
          // InvalidArgument, NotFound, FailedPrecondition, OutOfRange, or bytes that are no message.
          expect([3, 5, 9, 11, 13]).toContain(status?.code);
          refusals++;
        }
      }
      const replayed = foundMachine(new JournalBackend());
      for (const data of log) applyData(replayed, data);
      expect(replayed.digests().root).toEqual(machine.digests().root);
    }),
    { numRuns: 150 },
  );
  expect(answers).toBeGreaterThan(200);
  expect(refusals).toBeGreaterThan(200);
});

test("odd tags at every place: field 0, groups, unknown wire types, endless numbers", () => {
  const op = { $case: "request_put" as const, value: { ...putOf("a", "v"), lease: 1n } };
  const nested = txnOf({ success: [{ request: op }], failure: [{ request: undefined }] });
  const commands: Command[] = [
    { $case: "put", value: putOf("a", "v", { prev_kv: true }) },
    { $case: "delete_range", value: deleteOf("a", "b", true) },
    { $case: "lease_revoke", value: { ID: 1n } },
    { $case: "compaction", value: { revision: 1n, physical: false } },
    {
      $case: "txn",
      value: txnOf({
        compare: [compareOf("a", { target: 1, target_union: { $case: "version", value: 1n } })],
        success: [
          { request: { $case: "request_txn", value: nested } },
          { request: { $case: "request_range", value: rangeOf("a") } },
        ],
      }),
    },
  ];
  const tags = [...Array(40).keys()].map((tag) => [tag]);
  const tails = [[], [0], [1], Array(9).fill(0), Array(11).fill(0xff)];
  const { log, methods, machine } = loneMember();
  for (const { path, request } of commands.map(sentOf)) {
    for (let at = 0; at <= request.length; at++) {
      for (const insert of tags.flatMap((tag) => tails.map((tail) => [...tag, ...tail]))) {
        const harmed = Buffer.concat([
          request.subarray(0, at),
          Uint8Array.from(insert),
          request.subarray(at),
        ]);
        const { answer, status } = callUnary(methods, path, harmed);
        expect(answer !== undefined || [3, 5, 11, 13].includes(status?.code ?? 0)).toBe(true);
      }
    }
  }
  const replayed = foundMachine(new JournalBackend());
  for (const data of log) applyData(replayed, data);
  expect(replayed.digests().root).toEqual(machine.digests().root);
});
