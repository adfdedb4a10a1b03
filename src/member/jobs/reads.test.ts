/** Large reads in turns: equal to the read at once, and ended, begun anew or refused in between. */
import { expect, test } from "vitest";
import { KvError } from "../../base/errors.js";
import { BusyClock } from "../../integrity/scrub/scrub.fixture.js";
import type { Machine } from "../../state/apply.js";
import { applyCommand, foundMachine, JournalBackend, putOf } from "../../state/machine.fixture.js";
import type { RangeOutcome } from "../../state/types.js";
import { Jobs } from "../../storage/jobs.js";
import {
  RangeRequest,
  RangeResponse,
  RangeRequest_SortOrder as SortOrder,
  RangeRequest_SortTarget as SortTarget,
} from "../../wire/gen/rpc.js";
import { KvResponseEncoder } from "../../wire/kv-response.js";
import { piecesOf } from "../../wire/kv-response-pieces.js";
import type { ReadAnswer } from "../types.js";
import { AnswerBudget } from "./answer-budget.js";
import { Reads } from "./reads.js";

const keys = 1_600;
const everything = { key: Uint8Array.of(0), range_end: Uint8Array.of(0) };
const encoder = new KvResponseEncoder({ clusterId: 1n, memberId: 2n });

function filledMachine(count = keys): Machine {
  const machine = foundMachine(new JournalBackend());
  for (let at = 0; at < count; at++) put(machine, at);
  return machine;
}

function put(machine: Machine, at: number, value = `${(at * 7_919) % 1_000}`): void {
  applyCommand(machine, { $case: "put", value: putOf(`k${String(at).padStart(5, "0")}`, value) });
}

class Scene {
  readonly clock = new BusyClock();
  readonly jobs = new Jobs(this.clock, { stepUnits: 100, turnMs: 0 });
  readonly budget = new AnswerBudget(this.clock);
  machine = filledMachine();
  refusal: KvError | undefined;
  readonly reads = new Reads({
    jobs: this.jobs,
    clock: this.clock,
    budget: this.budget,
    machine: () => this.machine,
    refusal: () => this.refusal,
    whenSure: (done) => done(this.refusal),
    requestFailed: (error) => error as KvError,
  });

  ask(of: Partial<RangeRequest> = {}) {
    const told: { answer?: ReadAnswer<RangeOutcome> | KvError } = {};
    let cancel = (): void => {};
    const client = {
      onCancel: (fn: () => void) => {
        cancel = fn;
      },
    };
    this.reads.range(rangeOf(of), client, (answer) => {
      told.answer = answer;
    });
    return { told, cancel: () => cancel() };
  }

  settle(): void {
    this.clock.runTo(this.clock.now());
  }
}

function rangeOf(of: Partial<RangeRequest>): RangeRequest {
  return { ...RangeRequest.decode(new Uint8Array(0)), ...everything, ...of } as RangeRequest;
}

function decoded(answer: ReadAnswer<RangeOutcome> | KvError | undefined): RangeResponse {
  if (answer === undefined || answer instanceof KvError) throw answer ?? new Error("no answer");
  const header = encoder.encodeHeader(answer.revision, 3);
  return RangeResponse.decode(Buffer.concat(piecesOf(header, answer.outcome)));
}

test("a read in turns gives what the read at once gives, while other entries are applied", () => {
  const scene = new Scene();
  put(scene.machine, 5, "again");
  const { VALUE, MOD, KEY, VERSION } = SortTarget;
  const asked: Partial<RangeRequest>[] = [
    {},
    { limit: 700n },
    { keys_only: true },
    { revision: 900n },
    { revision: 900n, keys_only: true },
    { min_mod_revision: 500n, max_create_revision: 1_500n },
    { sort_target: VALUE, sort_order: SortOrder.DESCEND },
    { sort_target: VALUE, sort_order: SortOrder.ASCEND, limit: 10n },
    { sort_target: MOD, sort_order: SortOrder.DESCEND, limit: 900n, keys_only: true },
    { sort_target: KEY, sort_order: SortOrder.DESCEND },
    { sort_target: VERSION, sort_order: SortOrder.DESCEND, limit: 1n },
  ];
  const model = (of: Partial<RangeRequest>): RangeResponse => {
    const { header, ...rest } = expectedOf(scene.machine, of);
    return { ...rest, header };
  };
  const expected = asked.map(model);
  const all = asked.map((of) => scene.ask(of));
  for (let at = 0; at < 50; at++) {
    put(scene.machine, at * 40, "later");
    scene.clock.step();
  }
  scene.settle();
  const text = (answer: RangeResponse): string =>
    Buffer.from(RangeResponse.encode(answer).finish()).toString("latin1");
  for (const [at, { told }] of all.entries()) {
    expect(text(decoded(told.answer))).toBe(text(expected[at] as RangeResponse));
  }
  for (const { told } of all) (told.answer as ReadAnswer<RangeOutcome>).close();
  expect(scene.budget.bytes).toBe(0);
});

/** By the rules of etcd, on all rows at once. */
function expectedOf(machine: Machine, of: Partial<RangeRequest>): RangeResponse {
  const revision = machine.kv.revision();
  const at = rangeOf({ revision: of.revision ?? 0n });
  const whole = RangeResponse.decode(encoder.encode(machine.kv.range(at), revision, 3));
  const { kvs: rows } = decodedOutcome(machine.kv.range(at), revision);
  const { min_mod_revision: min = 0n, max_create_revision: max = 0n } = of;
  let kvs = rows.filter(
    (kv) => kv.mod_revision >= min && (max === 0n || kv.create_revision <= max),
  );
  const { sort_target: target, sort_order: order } = of;
  if (target !== undefined) {
    const sign = order === SortOrder.DESCEND ? -1 : 1;
    const compare = {
      [SortTarget.VALUE]: (a: Kv, b: Kv) => Buffer.compare(a.value, b.value),
      [SortTarget.KEY]: (a: Kv, b: Kv) => Buffer.compare(a.key, b.key),
      [SortTarget.MOD]: (a: Kv, b: Kv) => Number(a.mod_revision - b.mod_revision),
      [SortTarget.VERSION]: (a: Kv, b: Kv) => Number(a.version - b.version),
    }[target as 0 | 1 | 3 | 4];
    kvs = kvs.toSorted((a, b) => sign * compare(a, b));
  }
  const limit = Number(of.limit ?? 0n) || kvs.length;
  const more = kvs.length > limit;
  kvs = kvs.slice(0, limit);
  if (of.keys_only) kvs = kvs.map((kv) => ({ ...kv, value: Buffer.alloc(0) }));
  return { ...whole, kvs, more, count: BigInt(rows.length) };
}
type Kv = RangeResponse["kvs"][number];

function decodedOutcome(outcome: RangeOutcome, revision: number): RangeResponse {
  const header = encoder.encodeHeader(revision, 3);
  return RangeResponse.decode(Buffer.concat(piecesOf(header, outcome)));
}

test("the read of a client that leaves makes no further step and holds no memory", () => {
  const scene = new Scene();
  const reads = Array.from({ length: 40 }, () => scene.ask());
  for (let turn = 0; turn < 100; turn++) scene.clock.step();
  expect(scene.jobs.open).toBe(40);
  expect(scene.budget.bytes).toBeGreaterThan(0);
  for (const { cancel } of reads) cancel();
  const { turns } = scene.jobs;
  scene.settle();
  expect(scene.jobs.turns - turns).toBeLessThanOrEqual(1);
  expect(scene.jobs.open).toBe(0);
  expect(scene.budget.bytes).toBe(0);
  expect(reads.every(({ told }) => told.answer === undefined)).toBe(true);
});

test("a compaction makes a read of the current revision begin anew, and ends one of an old one", () => {
  const scene = new Scene();
  const current = scene.ask();
  const old = scene.ask({ revision: 1_000n });
  for (let turn = 0; turn < 6; turn++) scene.clock.step();
  put(scene.machine, 3, "newest");
  const revision = BigInt(scene.machine.kv.revision());
  applyCommand(scene.machine, { $case: "compaction", value: { revision, physical: true } });
  scene.settle();
  expect(old.told.answer).toEqual(new KvError("compacted"));
  const answer = decoded(current.told.answer);
  expect(answer.header?.revision).toBe(revision);
  expect(answer.kvs).toHaveLength(keys);
  expect(answer.kvs[3]?.value.toString()).toBe("newest");
});

test("a state that is replaced is read anew; a member in quarantine answers nothing", () => {
  const scene = new Scene();
  const first = scene.ask();
  for (let turn = 0; turn < 3; turn++) scene.clock.step();
  scene.machine = filledMachine(700);
  const second = scene.ask();
  for (let turn = 0; turn < 2; turn++) scene.clock.step();
  scene.settle();
  expect(decoded(first.told.answer).kvs).toHaveLength(700);
  expect(decoded(second.told.answer).kvs).toHaveLength(700);
  const refused = scene.ask();
  scene.refusal = new KvError("corrupt");
  scene.settle();
  expect(refused.told.answer).toEqual(new KvError("corrupt"));
});
