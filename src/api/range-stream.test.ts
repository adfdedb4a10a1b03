import { expect, test } from "vitest";
import type { KvError } from "../base/errors.js";
import { BusyClock } from "../integrity/scrub/scrub.fixture.js";
import { gateMethods } from "../member/gate/gate.fixture.js";
import { AnswerBudget } from "../member/jobs/answer-budget.js";
import { Reads } from "../member/jobs/reads.js";
import type { Member } from "../member/types.js";
import { applyCommand, foundMachine, JournalBackend, putOf } from "../state/machine.fixture.js";
import { Jobs } from "../storage/jobs.js";
import { RangeRequest, RangeResponse, RangeStreamResponse } from "../wire/gen/rpc.js";
import { callUnary, FakeStream } from "./call.fixture.js";
import { kvMethods } from "./kv.js";

const everything = { key: Buffer.of(0), range_end: Buffer.of(0) };

/** A store of so many keys, with values of 300 bytes. */
class Scene {
  readonly clock = new BusyClock();
  readonly jobs = new Jobs(this.clock, { stepUnits: 100, turnMs: 0 });
  readonly machine = foundMachine(new JournalBackend());
  readonly budget = new AnswerBudget(this.clock);
  readonly methods;

  constructor(keys: number) {
    for (let at = 0; at < keys; at++) this.put(at, "v".repeat(300));
    const reads = new Reads({
      ...{ jobs: this.jobs, clock: this.clock, budget: this.budget },
      machine: () => this.machine,
      refusal: () => undefined,
      whenSure: (done) => done(undefined),
      requestFailed: (error) => error as KvError,
    });
    this.methods = kvMethods({
      ...gateMethods(),
      ...{ id: 1n, clusterId: 2n, machine: this.machine, term: () => 3 },
      limits: { txnOpsMax: 8, requestBytesMax: 20_000 },
      holdAnswer: (...asked: Parameters<Reads["hold"]>) => reads.hold(...asked),
      readRange: (...asked: Parameters<Reads["range"]>) => reads.range(...asked),
      requestFailed: (error: unknown) => error,
    } as unknown as Member);
  }

  put(at: number, value: string): void {
    const key = `k${String(at).padStart(5, "0")}`;
    applyCommand(this.machine, { $case: "put", value: putOf(key, value) });
  }

  open(of: Partial<RangeRequest>, room = 1_000): FakeStream {
    const call = new FakeStream(encoded(of), room);
    const method = this.methods.find(({ path }) => path.endsWith("/RangeStream"));
    if (method?.kind !== "serverStream") throw new Error("no RangeStream");
    method.handle(call);
    return call;
  }

  range(of: Partial<RangeRequest>): RangeResponse {
    const ended = callUnary(this.methods, "/etcdserverpb.KV/Range", encoded(of));
    this.clock.runTo(this.clock.now());
    return RangeResponse.decode(ended.answer ?? expect.fail());
  }
}

function encoded(of: Partial<RangeRequest>): Uint8Array {
  const empty = RangeRequest.decode(new Uint8Array(0));
  return RangeRequest.encode({ ...empty, ...everything, ...of } as RangeRequest).finish();
}

function responses(call: FakeStream): RangeResponse[] {
  return call.sent.map((message) => {
    const { range_response } = RangeStreamResponse.decode(message);
    return range_response ?? expect.fail("an empty message");
  });
}

/** The answer that a client gets by merging the messages. */
function merged(parts: readonly RangeResponse[]): RangeResponse {
  const last = parts.at(-1) ?? expect.fail("no message");
  return { ...last, kvs: parts.flatMap(({ kvs }) => kvs) };
}

const text = (answer: RangeResponse): string =>
  Buffer.from(RangeResponse.encode(answer).finish()).toString("latin1");

test("the messages give what Range gives; only the last has header, more and count", () => {
  const scene = new Scene(700);
  const asked: Partial<RangeRequest>[] = [
    {},
    { keys_only: true },
    { limit: 10n },
    { limit: 345n },
    { limit: 700n },
    { count_only: true },
    { revision: 300n },
    { key: Buffer.from("k00007"), range_end: Buffer.alloc(0) },
    { key: Buffer.from("nothing"), range_end: Buffer.alloc(0) },
  ];
  for (const of of asked) {
    const call = scene.open(of);
    scene.clock.runTo(scene.clock.now());
    expect(call.isEnded).toBe(true);
    const parts = responses(call);
    expect(text(merged(parts))).toBe(text(scene.range(of)));
    for (const { header, more, count } of parts.slice(0, -1)) {
      expect([header, more, count]).toEqual([undefined, false, 0n]);
    }
  }
  const whole = responses(scene.open({}));
  expect(whole[0]?.kvs).toHaveLength(10);
  expect(scene.budget.bytes).toBe(0);
});

test("pages grow towards the size of a request, follow the client, and show one revision", () => {
  const scene = new Scene(500);
  const call = scene.open({}, 1);
  const revision = scene.machine.kv.revision();
  for (let taken = 1; !call.isEnded; taken++) {
    scene.clock.runTo(scene.clock.now());
    // No page is read before the client has taken the last one.
    expect(call.sent).toHaveLength(taken);
    expect(scene.jobs.open).toBe(0);
    scene.put(499 - taken, "later");
    call.drain();
    if (taken > 100) expect.fail("it does not end");
  }
  const parts = responses(call);
  const lengths = parts.map(({ kvs }) => kvs.length);
  expect(lengths.slice(0, 3)).toEqual([10, 20, 40]);
  expect(Math.max(...call.sent.map((message) => message.length))).toBeLessThan(40_000);
  const { header, kvs } = merged(parts);
  expect(header?.revision).toBe(BigInt(revision));
  expect(kvs).toHaveLength(500);
  expect(kvs.every(({ value }) => value.toString() !== "later")).toBe(true);
});

test("a compaction of the revision ends the stream; a client that leaves ends the work", () => {
  const scene = new Scene(500);
  const call = scene.open({}, 1);
  scene.put(1, "newer");
  const revision = BigInt(scene.machine.kv.revision());
  applyCommand(scene.machine, { $case: "compaction", value: { revision, physical: false } });
  call.drain();
  scene.clock.runTo(scene.clock.now());
  expect(call.status).toMatchObject({ code: 11 });
  expect(call.status?.message).toContain("required revision has been compacted");

  const left = scene.open({}, 6);
  scene.clock.step();
  left.cancel();
  const sent = left.sent.length;
  scene.clock.runTo(scene.clock.now());
  expect(left.sent).toHaveLength(sent);
  expect(scene.jobs.open).toBe(0);
});

test("a stream that nobody reads is counted, and ended after 60 s; one that is read slowly is not", () => {
  const scene = new Scene(500);
  const [dead, slow, gone] = [scene.open({}, 1), scene.open({}, 1), scene.open({}, 1)];
  expect(scene.budget.bytes).toBe(
    [dead, slow, gone].reduce((sum, { sent }) => sum + (sent[0]?.length ?? 0), 0),
  );
  gone.cancel();
  for (let passedMs = 0; passedMs < 80_000; passedMs += 25_000) {
    scene.clock.runTo(passedMs);
    slow.drain();
  }
  expect(slow.status).toBeUndefined();
  expect(slow.sent.length).toBeGreaterThan(3);
  expect(dead.status).toMatchObject({ code: 8 });
  expect(dead.status?.message).toContain("took nothing of a large answer for 60 s");
  slow.cancel();
  expect(scene.budget.bytes).toBe(0);
});

test("other orders and filters are refused as in etcd", () => {
  const scene = new Scene(1);
  const unimplemented = (of: Partial<RangeRequest>) => scene.open(of).status;
  expect(unimplemented({ sort_order: 2 })).toEqual({
    code: 12,
    message: "RangeStream does not support custom sort orders",
  });
  expect(unimplemented({ sort_target: 4 })).toMatchObject({ code: 12 });
  expect(unimplemented({ min_mod_revision: 2n })).toEqual({
    code: 12,
    message: "RangeStream does not support revision filters",
  });
  expect(unimplemented({ key: Buffer.alloc(0) })).toMatchObject({ code: 3 });
});
