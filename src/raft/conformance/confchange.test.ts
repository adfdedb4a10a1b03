/** The configuration change cases of etcd-io/raft: each command changes what the last one left. */
import { describe, expect, test } from "vitest";
import {
  ConfChangeError,
  changeSimple,
  enterJoint,
  leaveJointConfig,
  type Tracked,
} from "../confchange/changer.js";
import { emptyConfState } from "../tracker/progress-tracker.js";
import { parseChanges } from "./conf-change-text.fixture.js";
import { absentTitle, isCorpusPresent, readSuite } from "./corpus.fixture.js";
import { argumentOf, type Case } from "./datadriven.fixture.js";
import { describeConfig, describeProgress } from "./describe.fixture.js";

const caseCounts = {
  joint_autoleave: 4,
  joint_idempotency: 3,
  joint_learners_next: 3,
  joint_safety: 15,
  simple_idempotency: 11,
  simple_promote_demote: 7,
  simple_safety: 11,
  update: 3,
  zero: 1,
};

function change(from: Tracked, one: Case, lastIndex: number): Tracked {
  const context = { lastIndex, limits: { messagesMax: 10, bytesMax: Number.MAX_SAFE_INTEGER } };
  const changes = parseChanges(one.input);
  if (one.command === "simple") return changeSimple(from, changes, context);
  if (one.command === "leave-joint") return leaveJointConfig(from, context);
  return enterJoint(from, { autoLeave: argumentOf(one, "autoleave") === "true", changes }, context);
}

function describeTracked({ config, peers }: Tracked): string {
  return [describeConfig(config), ...peers.map(describeProgress)].join("\n");
}

function checkFile(cases: readonly Case[]): void {
  let tracked: Tracked = { config: emptyConfState, peers: [] };
  // The log grows by one with every command, also with a refused one.
  cases.forEach((one, lastIndex) => {
    let output: string;
    try {
      tracked = change(tracked, one, lastIndex);
      output = describeTracked(tracked);
    } catch (error) {
      if (!(error instanceof ConfChangeError)) throw error;
      output = error.message;
    }
    expect(output, `line ${one.line}`).toBe(one.expected);
  });
}

if (!isCorpusPresent) {
  test.skip(absentTitle, () => {});
} else {
  const suite = readSuite("confchange");

  describe("configuration change cases of etcd-io/raft", () => {
    for (const [name, cases] of suite) test(name, () => checkFile(cases));

    test("all cases are there", () => {
      const counts = [...suite].map(([name, cases]) => [name, cases.length]);
      expect(Object.fromEntries(counts)).toEqual(caseCounts);
    });
  });
}
