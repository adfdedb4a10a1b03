import { describe, expect, test } from "vitest";
import { KvError } from "../base/errors.js";
import type { TokenClaims } from "../platform/credentials.js";
import { FairQueue } from "./fair-queue.js";
import { SignedTokens } from "./signed-tokens.js";
import { SimpleTokens } from "./simple-tokens.js";

describe("simple tokens", () => {
  function setUp() {
    const now = { ms: 0, index: 5 };
    let drawn = 0;
    const tokens = new SimpleTokens({
      clock: { now: () => now.ms },
      rng: { int: (below) => drawn++ % below, fork: () => ({}) as never },
      ttlMs: 1_000,
      appliedIndex: () => now.index,
      authRevision: () => 3,
    });
    const told: unknown[] = [];
    const ask = (token: string) =>
      tokens.callerOf(token, (caller) =>
        told.push(caller instanceof KvError ? caller.reason : caller.username),
      );
    const login = (user: string, index: number) =>
      tokens.applied({ type: "authenticated", user, simpleToken: "abc", authRevision: 3 }, index);
    return { now, tokens, told, ask, login };
  }

  test("a token of an index that is not applied yet waits for it, a bounded time", () => {
    const { now, tokens, told, ask, login } = setUp();
    ask("abc.7");
    expect([told, tokens.isWaiting]).toEqual([[], true]);
    now.index = 7;
    login("u", 7);
    tokens.progressed();
    expect(told.splice(0)).toEqual(["u"]);
    ask("abc.99");
    now.ms = 4_999;
    tokens.tick(now.ms);
    expect(told).toEqual([]);
    now.ms = 5_000;
    tokens.tick(now.ms);
    expect([told.splice(0), tokens.isWaiting]).toEqual([["invalidAuthToken"], false]);
    for (let i = 0; i < 1_001; i++) ask(`abc.${1_000 + i}`);
    // The last one found no room to wait.
    expect(told).toEqual(["invalidAuthToken"]);
  });

  test("tokens end unused, with their user, and when auth is switched off; memory is freed", () => {
    const { now, tokens, told, ask, login } = setUp();
    login("u", 1);
    login("v", 2);
    login("w", 3);
    now.ms = 999;
    ask("abc.1");
    now.ms = 1_500;
    tokens.tick(now.ms);
    expect(tokens.size).toBe(1);
    ask("abc.2");
    tokens.applied({ type: "userEnded", user: "u" }, 5);
    ask("abc.1");
    login("v", 4);
    tokens.applied({ type: "disabled" }, 6);
    ask("abc.4");
    expect(told).toEqual(["u", ...Array(3).fill("invalidAuthToken")]);
    expect(tokens.size).toBe(0);
    expect(tokens.prefix()).toMatch(/^[a-zA-Z]{16}$/);
  });
});

test("a signed token is verified once, two at a time, and again when it has ended", () => {
  const verifying: ((claims: TokenClaims | undefined) => void)[] = [];
  let nowMs = 0;
  const tokens = new SignedTokens({
    clock: { unixMs: () => nowMs },
    signer: { sign: () => {}, verify: (_token, done) => void verifying.push(done) },
    ttlMs: 1_000,
  });
  const told: unknown[] = [];
  const ask = (token: string) =>
    tokens.callerOf(token, (caller) =>
      told.push(caller instanceof KvError ? caller.reason : caller),
    );
  for (const token of ["a", "b", "c"]) ask(token);
  expect(verifying).toHaveLength(2);
  verifying.shift()?.({ username: "u", revision: 4, expiresUnixMs: 500 });
  expect([told.splice(0), verifying.length]).toEqual([[{ username: "u", authRevision: 4 }], 2]);
  verifying.shift()?.(undefined);
  verifying.shift()?.(undefined);
  expect(told.splice(0)).toEqual(["invalidAuthToken", "invalidAuthToken"]);
  ask("a");
  expect([told.splice(0), verifying.length]).toEqual([[{ username: "u", authRevision: 4 }], 0]);
  nowMs = 500;
  ask("a");
  expect([told, verifying.length]).toEqual([[], 1]);
});

test("the queue takes each user in turn, drops who has gone, and refuses beyond its bound", () => {
  const queue = new FairQueue(4);
  const started: string[] = [];
  const ends: (() => void)[] = [];
  const add = (name: string, isOver = () => false): boolean =>
    queue.add({
      user: name[0] ?? "",
      isOver,
      run: (done) => {
        started.push(name);
        ends.push(done);
      },
    });
  let hasGone = false;
  for (const name of ["a1", "a2", "a3"]) add(name);
  add("b1");
  add("c1", () => hasGone);
  expect([add("b2"), started]).toEqual([false, ["a1"]]);
  hasGone = true;
  expect(add("b2")).toBe(true);
  while (ends.length > 0) ends.shift()?.();
  expect(started).toEqual(["a1", "a2", "b1", "a3", "b2"]);
});
