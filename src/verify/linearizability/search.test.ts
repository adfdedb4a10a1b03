/** The search against the definition, on many small histories; and its limits on large ones. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { completedOf, faultOfOrder, hasOrder } from "./brute-force.fixture.js";
import { checkCalls } from "./check-calls.js";
import { type KvInput, type KvOutput, kvModel } from "./kv-model.js";
import type { Model, ModelCall } from "./model.js";
import { type RegisterInput, type RegisterOutput, registerModel } from "./register-model.js";
import { search } from "./search.js";

const value = fc.integer({ min: 0, max: 2 });
const registerInput: fc.Arbitrary<RegisterInput> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ kind: "read" } as const) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("write" as const), value }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("cas" as const), from: value, to: value }),
  },
);
const kvInput: fc.Arbitrary<KvInput> = fc.oneof(
  fc.constant({ kind: "get", key: "k" } as const),
  fc.record({
    kind: fc.constantFrom("put" as const, "append" as const),
    key: fc.constant("k"),
    value: fc.constantFrom("a", "b", "aa"),
  }),
);

/** The store's answers in a state, and the answers that a broken store might give. */
interface Answers<State, Input, Output> {
  readonly right: (state: State, input: Input) => Output;
  readonly any: (input: Input, draw: number) => Output;
}

const registerAnswers: Answers<number | string | null, RegisterInput, RegisterOutput> = {
  right: (state, input) => {
    if (input.kind === "read") return { kind: "read", value: state };
    if (input.kind === "write") return { kind: "write" };
    return { kind: "cas", succeeded: state === input.from };
  },
  any: ({ kind }, draw) => {
    if (kind === "read") return { kind, value: draw === 3 ? null : draw };
    return kind === "write" ? { kind } : { kind, succeeded: draw % 2 === 0 };
  },
};
const kvAnswers: Answers<{ readonly value: string }, KvInput, KvOutput> = {
  right: ({ value: text }, { kind }) => (kind === "get" ? { value: text } : {}),
  any: ({ kind }, draw) =>
    kind === "get" ? { value: ["", "a", "ab", "aab"][draw] as string } : {},
};

/** Settings for drawing the histories of a test. */
interface Mix {
  readonly lengthMax: number;
  /** Of 8. */
  readonly lost: number;
}

const usual: Mix = { lengthMax: 5, lost: 2 };

interface Draft<Input> {
  readonly input: Input;
  readonly callAt: number;
  readonly length: number;
  /** Where in its interval it takes effect. */
  readonly point: number;
  readonly fate: "answered" | "lost" | "lost without effect" | "answered wrongly";
  readonly draw: number;
}

function draftOf<Input>(input: fc.Arbitrary<Input>, mix = usual): fc.Arbitrary<Draft<Input>> {
  const fates: {
    readonly weight: number;
    readonly arbitrary: fc.Arbitrary<Draft<Input>["fate"]>;
  }[] = [
    { weight: 7 - mix.lost, arbitrary: fc.constant("answered") },
    { weight: mix.lost, arbitrary: fc.constantFrom("lost", "lost without effect") },
    { weight: 1, arbitrary: fc.constant("answered wrongly") },
  ];
  return fc.record({
    input,
    callAt: fc.integer({ min: 0, max: 8 }),
    length: fc.integer({ min: 0, max: mix.lengthMax }),
    point: fc.double({ min: 0, max: 1, noNaN: true }),
    fate: fc.oneof(...fates),
    draw: fc.integer({ min: 0, max: 3 }),
  });
}

/** Runs the drafts at their points in time, so that most histories are nearly right. */
function play<State, Input, Output>(
  drafts: readonly Draft<Input>[],
  model: Model<State, Input, Output>,
  answers: Answers<State, Input, Output>,
): ModelCall<Input, Output>[] {
  let state = model.init;
  const outputs = new Map<Draft<Input>, Output>();
  const at = ({ callAt, length, point }: Draft<Input>) => callAt + length * point;
  for (const draft of [...drafts].sort((a, b) => at(a) - at(b))) {
    const { input, fate, draw } = draft;
    const isWrong = fate === "answered wrongly";
    outputs.set(draft, isWrong ? answers.any(input, draw) : answers.right(state, input));
    if (fate !== "lost without effect") state = model.step(state, input, undefined) as State;
  }
  return drafts.map((draft, client) => {
    const { input, callAt, length, fate } = draft;
    const output = fate.startsWith("lost") ? undefined : outputs.get(draft);
    return { client, input, output, callAt, returnAt: callAt + length };
  });
}

/** Compares with the definition; returns the verdict. */
function compare<State, Input, Output>(
  calls: readonly ModelCall<Input, Output>[],
  model: Model<State, Input, Output>,
): string {
  const result = search(calls, [...calls.keys()], { model });
  const completed = completedOf(calls);
  expect(result.verdict === "linearizable").toBe(hasOrder(calls, new Set(completed), model));
  expect(faultOfOrder(calls, result.order, model)).toBeUndefined();
  if (result.verdict === "linearizable") {
    for (const index of completed) expect(result.order).toContain(index);
    return result.verdict;
  }
  expect(result.verdict).toBe("not");
  const blocked = result.blocked as number;
  const key = (index: number) => (calls[index] as ModelCall<Input, Output>).returnAt;
  const call = (index: number) => (calls[index] as ModelCall<Input, Output>).callAt;
  const byReturn = completed.sort((a, b) => key(a) - key(b) || call(a) - call(b) || a - b);
  const before = byReturn.slice(0, byReturn.indexOf(blocked));
  expect(hasOrder(calls, new Set(before), model)).toBe(true);
  expect(hasOrder(calls, new Set([...before, blocked]), model)).toBe(false);
  for (const index of before) expect(result.order).toContain(index);
  expect(result.states.length).toBeGreaterThan(0);
  return result.verdict;
}

describe("the search agrees with the definition", () => {
  const sizes = { minLength: 0, maxLength: 7 };

  test("a register, with unknown outcomes", () => {
    const verdicts = new Map<string, number>();
    fc.assert(
      fc.property(fc.array(draftOf(registerInput), sizes), (drafts) => {
        const verdict = compare(play(drafts, registerModel, registerAnswers), registerModel);
        verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
      }),
      { numRuns: 4_000 },
    );
    // Both verdicts must occur often; otherwise the comparison would prove little.
    expect(verdicts.get("linearizable")).toBeGreaterThan(400);
    expect(verdicts.get("not")).toBeGreaterThan(400);
  });

  test("long writes of few values, where it matters which of alike ones goes first", () => {
    const input: fc.Arbitrary<RegisterInput> = fc.oneof(
      fc.constant({ kind: "read" } as const),
      fc.record({ kind: fc.constant("write" as const), value: fc.constantFrom(0, 1) }),
    );
    const drafts = fc.array(draftOf(input, { lengthMax: 9, lost: 1 }), {
      minLength: 4,
      maxLength: 7,
    });
    fc.assert(
      fc.property(drafts, (some) => {
        compare(play(some, registerModel, registerAnswers), registerModel);
      }),
      { numRuns: 4_000 },
    );
  });

  test("mostly unknown outcomes", () => {
    const drafts = fc.array(draftOf(registerInput, { lengthMax: 3, lost: 5 }), sizes);
    fc.assert(
      fc.property(drafts, (some) => {
        compare(play(some, registerModel, registerAnswers), registerModel);
      }),
      { numRuns: 3_000 },
    );
  });

  test("a key with append, where every effect is seen for ever", () => {
    fc.assert(
      fc.property(fc.array(draftOf(kvInput), sizes), (drafts) => {
        compare(play(drafts, kvModel, kvAnswers), kvModel);
      }),
      { numRuns: 2_000 },
    );
  });

  test("a model that says no more than it must, whose hash is always the same", () => {
    const { likeness: _, isRead: __, ...rest } = registerModel;
    const plain = { ...rest, hash: () => 7 };
    fc.assert(
      fc.property(fc.array(draftOf(registerInput), sizes), (drafts) => {
        compare(play(drafts, plain, registerAnswers), plain);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("intervals are closed", () => {
  const write = {
    client: 0,
    input: { kind: "write", value: 1 },
    output: { kind: "write" },
  } as const;
  const read = {
    client: 1,
    input: { kind: "read" },
    output: { kind: "read", value: null },
  } as const;

  test("a call at the moment of a return overlaps it", () => {
    const calls = (readAt: number): ModelCall<RegisterInput, RegisterOutput>[] => [
      { ...write, callAt: 0, returnAt: 5 },
      { ...read, callAt: readAt, returnAt: 9 },
    ];
    expect(checkCalls(calls(5), registerModel).verdict).toBe("linearizable");
    expect(checkCalls(calls(6), registerModel).verdict).toBe("not");
  });
});

test("of two equal writes the one that ends first goes first, though it began later", () => {
  const write = (client: number, value: number, callAt: number, returnAt: number) =>
    ({
      client,
      input: { kind: "write", value },
      output: { kind: "write" },
      callAt,
      returnAt,
    }) as const;
  const read = { client: 9, input: { kind: "read" }, output: { kind: "read", value: 1 } } as const;
  const calls: ModelCall<RegisterInput, RegisterOutput>[] = [
    write(0, 1, 0, 9),
    write(1, 1, 1, 2),
    write(2, 0, 3, 4),
    { ...read, callAt: 5, returnAt: 6 },
  ];
  expect(search(calls, [...calls.keys()], { model: registerModel })).toMatchObject({
    verdict: "linearizable",
    order: [1, 2, 0, 3],
  });
});

test("of what cannot be placed, the states that were possible are told, and the longest order", () => {
  const write = (client: number, value: number, returnAt: number) =>
    ({
      client,
      input: { kind: "write", value },
      output: { kind: "write" },
      callAt: 0,
      returnAt,
    }) as const;
  const read = (value: number) =>
    ({ client: 9, input: { kind: "read" }, output: { kind: "read", value } }) as const;
  const calls: ModelCall<RegisterInput, RegisterOutput>[] = [
    write(0, 1, 1),
    write(1, 2, 1),
    { ...write(2, 3, 9), output: undefined },
    { ...read(4), callAt: 2, returnAt: 3 },
    { ...read(3), callAt: 2, returnAt: 8 },
  ];
  const result = search(calls, [...calls.keys()], { model: registerModel });
  expect(result).toMatchObject({ verdict: "not", blocked: 3 });
  expect([...result.states].sort()).toEqual([1, 2, 3]);
  // The read of 3 needs the unknown write.
  expect([...result.order].sort()).toEqual([0, 1, 2, 4]);
  expect(result.order.slice(-2)).toEqual([2, 4]);
});

/** Calls of `clients`, all overlapping with their neighbours, answered rightly. */
function longHistory(count: number, clients: number): ModelCall<KvInput, KvOutput>[] {
  let state = kvModel.init;
  return Array.from({ length: count }, (_, at): ModelCall<KvInput, KvOutput> => {
    const input: KvInput =
      at % 3 === 0 ? { kind: "put", key: "k", value: `${at}` } : { kind: "get", key: "k" };
    const output = kvAnswers.right(state, input);
    state = kvModel.step(state, input, undefined) as typeof state;
    // Takes effect at time `at`.
    const callAt = at - (at % clients) * 0.9;
    const isLost = at % 1_000 === 0 && input.kind === "put";
    return {
      client: at % clients,
      input,
      output: isLost ? undefined : output,
      callAt,
      returnAt: at + 5,
    };
  });
}

/** Appends that all overlap, and an answer that no order of them explains. */
function hardHistory(count: number): ModelCall<KvInput, KvOutput>[] {
  const appends = Array.from({ length: count }, (_, client): ModelCall<KvInput, KvOutput> => {
    const input = { kind: "append" as const, key: "hard", value: `${client},` };
    return { client, input, output: {}, callAt: 0, returnAt: 1 };
  });
  const input = { kind: "get" as const, key: "hard" };
  return [...appends, { client: 99, input, output: { value: "never" }, callAt: 2, returnAt: 3 }];
}

describe("large histories", () => {
  test("100,000 calls of 30 clients", () => {
    const calls = longHistory(100_000, 30);
    const { verdict, order } = search(calls, [...calls.keys()], { model: kvModel });
    expect(verdict).toBe("linearizable");
    expect(faultOfOrderFast(calls, order)).toBe(true);
  });

  test("a wrong answer in the middle of them is found and named", () => {
    const calls = longHistory(10_000, 12);
    const wrong = calls.findIndex(({ input }, at) => at > 5_000 && input.kind === "get");
    calls[wrong] = {
      ...(calls[wrong] as ModelCall<KvInput, KvOutput>),
      output: { value: "never" },
    };
    const result = search(calls, [...calls.keys()], { model: kvModel });
    expect(result).toMatchObject({ verdict: "not", blocked: wrong });
  });

  /** Checks only that the order is legal: the small histories check real time. */
  function faultOfOrderFast(
    calls: readonly ModelCall<KvInput, KvOutput>[],
    order: readonly number[],
  ) {
    let state: typeof kvModel.init | undefined = kvModel.init;
    for (const index of order) {
      const { input, output } = calls[index] as ModelCall<KvInput, KvOutput>;
      state = state && kvModel.step(state, input, output);
    }
    return state !== undefined;
  }
});

describe("limits end as unknown, with their reason", () => {
  const calls = hardHistory(12);
  const check = (limits: object) => checkCalls(calls, kvModel, limits);

  test("memory", () => {
    const { verdict, reason } = check({ bytesMax: 1 << 20 });
    expect({ verdict, reason }).toMatchObject({
      verdict: "unknown",
      reason: expect.stringMatching(/^the memory for configurations is used up \(\d+ kept\)$/),
    });
  });

  test("steps", () => {
    const { verdict, reason, steps } = check({ stepsMax: 20_000 });
    expect({ verdict, reason }).toEqual({
      verdict: "unknown",
      reason: "20000 steps were not enough",
    });
    expect(steps).toBeLessThan(30_000);
  });

  test("time", () => {
    let asked = 0;
    const { verdict, reason } = check({ isTimeUp: () => ++asked === 3 });
    expect({ verdict, reason }).toEqual({ verdict: "unknown", reason: "the time is up" });
  });

  test("a part that is not linearizable wins over one that is unknown", () => {
    const input = { kind: "get" as const, key: "easy" };
    const wrong = { client: 1, input, output: { value: "wrong" }, callAt: 0, returnAt: 1 };
    const { verdict } = checkCalls([...calls, wrong], kvModel, { stepsMax: 10_000 });
    expect(verdict).toBe("not");
  });
});
