/** A fetched state catches up from the member's own log and changes places with the stand-in. */

import { beforeEach, expect, test } from "vitest";
import type { Entry } from "../../raft/types.js";
import type { Machine, OpenEntry } from "../../state/apply.js";
import type { FetchedState } from "../../storage/fetched-state.js";
import { HandClock } from "../others.fixture.js";
import { type AdoptionParts, adoptState } from "./adoption.js";

const term = 3;
let clock: HandClock;
/** Held by our log: from 10 up to here. */
let lastIndex: number;
let logTerm: number;
let standInIndex: number;
/** Entries of this index take two steps. */
let longEntry: number;
let isStopped: boolean;
let replaceError: Error | undefined;
let events: string[];
let done: (Error | undefined)[];

class FakeMachine {
  appliedIndex = 20;
  readonly appliedTerm = term;
  readonly confState = {};

  begin({ index }: Entry): unknown {
    expect(index).toBe(this.appliedIndex + 1);
    if (index !== longEntry) {
      this.appliedIndex = index;
      return {};
    }
    let isBegun = false;
    const step: OpenEntry["step"] = () => {
      if (isBegun) this.appliedIndex = index;
      const isEnded = isBegun;
      isBegun = true;
      return isEnded ? ({} as ReturnType<OpenEntry["step"]>) : undefined;
    };
    return { index, step };
  }
}

let machine: FakeMachine;

beforeEach(() => {
  clock = new HandClock();
  machine = new FakeMachine();
  lastIndex = 2_000;
  logTerm = term;
  standInIndex = 1_200;
  longEntry = 0;
  isStopped = false;
  replaceError = undefined;
  events = [];
  done = [];
});

function adopt(): void {
  const parts = {
    clock,
    log: {
      term: () => logTerm,
      entries: (low: number, high: number) => {
        const end = Math.min(high, lastIndex + 1);
        return Array.from({ length: Math.max(0, end - low) }, (_, at) => ({ index: low + at }));
      },
    },
    state: {
      machine: () => ({ appliedIndex: standInIndex }),
      replace: () => {
        if (replaceError !== undefined) throw replaceError;
        events.push(`replace at ${machine.appliedIndex}`);
      },
    },
    committer: {
      replaced: ({ index }: { index: number }) => events.push(`durable up to ${index}`),
      applied: (count: number) => events.push(`${count} to commit`),
    },
    isStopped: () => isStopped,
    failed: (error: Error) => events.push(`failed: ${error.message}`),
    record: ({ appliedIndex }: Machine) => recorded.push(appliedIndex),
  };
  const recorded: number[] = [];
  const close = (closed: () => void): void => {
    events.push("closed");
    closed();
  };
  adoptState(
    parts as unknown as AdoptionParts,
    { name: "b.2", backend: { close }, machine } as unknown as FetchedState,
    (error) => {
      done.push(error);
      if (error !== undefined) return;
      const all = Array.from({ length: standInIndex - 19 }, (_, at) => 20 + at);
      expect(recorded).toEqual(all);
    },
  );
}

test("in pieces, and changes places only when it has all that the stand-in has", () => {
  adopt();
  expect([machine.appliedIndex, events, done]).toEqual([520, [], []]);
  // Raft went on meanwhile.
  standInIndex = 1_250;
  clock.pass(0);
  expect(events).toEqual(["replace at 1250", "durable up to 20", "1230 to commit"]);
  expect(done).toEqual([undefined]);
});

test("an entry that takes several steps is taken to its end first", () => {
  longEntry = 25;
  standInIndex = 30;
  adopt();
  expect([machine.appliedIndex, events]).toEqual([24, []]);
  clock.pass(0);
  expect(events[0]).toBe("replace at 30");
  expect(done).toEqual([undefined]);
});

test("a state of another log is not put in use", () => {
  logTerm = term + 1;
  adopt();
  expect([machine.appliedIndex, events]).toEqual([20, ["closed"]]);
  expect(done.map((error) => error?.message)).toEqual([
    "the fetched state belongs to another log than ours",
  ]);
});

test("a log that ends too early leaves all as it was", () => {
  lastIndex = 600;
  adopt();
  clock.pass(0);
  expect(events).toEqual(["closed"]);
  expect(done.map((error) => error?.message)).toEqual([
    "our log does not lead on from the fetched state",
  ]);
});

test("a member that stops gives up between two pieces", () => {
  adopt();
  isStopped = true;
  clock.pass(0);
  expect([events, done.length]).toEqual([["closed"], 1]);
});

test("if the disk refuses the change, the member stops: nobody knows which state the disk holds", () => {
  replaceError = new Error("disk full");
  standInIndex = 30;
  adopt();
  expect([events, done]).toEqual([["failed: disk full"], []]);
});
