/** A cluster of fakes: the asker's view of the leader, and requests that the test answers. */
import { describe, expect, test } from "vitest";
import type { Done } from "../base/done.js";
import { KvError } from "../base/errors.js";
import type { Clock } from "../platform/clock.js";
import { PeerMethod } from "./codec.js";
import { type LeaderQuestion, LeaderRequests } from "./leader-requests.js";

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

function setUp(timeoutMs = 7_000) {
  const timers: { atMs: number; readonly fn: () => void }[] = [];
  const world = { nowMs: 0, leader: 2n, isLeader: false, isStopping: false };
  const since = new Map<bigint, number>([[2n, 0]]);
  const sent: { readonly to: bigint; readonly done: Done<Uint8Array>; isDropped: boolean }[] = [];
  const clock = {
    now: () => world.nowMs,
    after: (delayMs: number, fn: () => void) => {
      timers.push({ atMs: world.nowMs + delayMs, fn });
      return { cancel: () => {} };
    },
  } as Clock;
  const requests = new LeaderRequests({
    clock,
    timeoutMs,
    leader: () => world.leader,
    isLeader: () => world.isLeader,
    isStopping: () => world.isStopping,
    activeSince: (id) => since.get(id),
    request: ({ to }, _body, done) => {
      const request = { to, done, isDropped: false };
      sent.push(request);
      return () => {
        request.isDropped = true;
      };
    },
  });
  const answers: (string | KvError)[] = [];
  const here: Done<string>[] = [];
  const question: LeaderQuestion<string> = {
    method: PeerMethod.leaseKeepAlive,
    here: (answer) => here.push(answer),
    encode: () => new Uint8Array(0),
    decode: text,
    isFinal: ({ reason }) => reason === "memberNotFound",
  };
  const pass = (ms: number): void => {
    const untilMs = world.nowMs + ms;
    for (;;) {
      timers.sort((a, b) => a.atMs - b.atMs);
      const next = timers[0];
      if (next === undefined || next.atMs > untilMs) break;
      timers.shift();
      world.nowMs = next.atMs;
      next.fn();
    }
    world.nowMs = untilMs;
  };
  const ask = (): void => requests.ask(question, (answer) => answers.push(answer));
  return { world, since, sent, requests, answers, here, pass, ask, timers };
}

describe("a question for the leader", () => {
  test("goes to the next leader as soon as there is one; a late answer counts no more", () => {
    const { world, since, sent, requests, answers, pass, ask, timers } = setUp();
    ask();
    world.leader = 0n;
    requests.leaderChanged();
    expect(sent.map(({ isDropped }) => isDropped)).toEqual([true]);
    pass(1_000);
    world.leader = 3n;
    since.set(3n, 500);
    requests.leaderChanged();
    expect(sent.map(({ to }) => to)).toEqual([2n, 3n]);
    sent[0]?.done(Buffer.from("late"));
    expect(answers).toEqual([]);
    sent[1]?.done(Buffer.from("renewed"));
    sent[1]?.done(Buffer.from("twice"));
    expect(answers).toEqual(["renewed"]);
    pass(100);
    expect(timers).toEqual([]);
  });

  test("is asked again when the connection broke, also if it was made anew at once", () => {
    const { since, sent, pass, ask } = setUp();
    ask();
    since.delete(2n);
    pass(200);
    expect(sent).toHaveLength(1);
    since.set(2n, 200);
    pass(50);
    expect(sent).toHaveLength(2);
    since.set(2n, 210);
    pass(50);
    expect(sent.map(({ isDropped }) => isDropped)).toEqual([true, true, false]);
  });

  test("is asked again after a refusal, until its time is over", () => {
    const { sent, answers, pass, ask } = setUp(1_000);
    ask();
    for (let round = 0; round < 30; round++) {
      sent.at(-1)?.done(new KvError("notLeader"));
      pass(50);
    }
    expect(sent.length).toBeGreaterThan(10);
    expect(answers).toMatchObject([{ reason: "timeout" }]);
  });

  test("ends with a final refusal, with noLeader, or when the member stops", () => {
    const final = setUp();
    final.ask();
    final.sent[0]?.done(new KvError("memberNotFound"));
    expect(final.answers).toMatchObject([{ reason: "memberNotFound" }]);

    const alone = setUp(1_000);
    alone.world.leader = 0n;
    alone.ask();
    alone.pass(1_100);
    expect(alone.answers).toMatchObject([{ reason: "noLeader" }]);

    const stopping = setUp();
    stopping.ask();
    stopping.world.isStopping = true;
    stopping.sent[0]?.done(new KvError("stopped"));
    expect(stopping.answers).toMatchObject([{ reason: "stopped" }]);
  });

  test("is answered here once this member leads, and elsewhere if it loses that", () => {
    const { world, since, sent, requests, answers, here, ask } = setUp();
    ask();
    world.leader = 1n;
    world.isLeader = true;
    requests.leaderChanged();
    expect(here).toHaveLength(1);
    world.leader = 3n;
    world.isLeader = false;
    since.set(3n, 0);
    requests.leaderChanged();
    here[0]?.("here");
    sent.at(-1)?.done(Buffer.from("there"));
    expect(answers).toEqual(["there"]);
  });
});
