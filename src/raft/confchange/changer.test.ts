import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { emptyConfState } from "../tracker/progress-tracker.js";
import {
  type ChangeContext,
  changeSimple,
  enterJoint,
  leaveJointConfig,
  restoreConfig,
  type SingleChange,
  type Tracked,
} from "./changer.js";

const context: ChangeContext = {
  lastIndex: 10,
  limits: { messagesMax: 10, bytesMax: Number.MAX_SAFE_INTEGER },
};
const singleChange: fc.Arbitrary<SingleChange> = fc.record({
  type: fc.constantFrom("addVoter", "addVoter", "addLearner", "remove", "update"),
  id: fc.integer({ min: 2, max: 9 }).map(BigInt),
});
/** Voter 1 stays, so that every change is allowed. */
const keep: SingleChange = { type: "addVoter", id: 1n };
const setup = fc.array(singleChange, { maxLength: 8 }).map((changes) => [keep, ...changes]);
const changes = fc.array(singleChange, { minLength: 1, maxLength: 8 });

/** Makes one change after the other, each a configuration of its own. */
function bySteps(from: Tracked, list: readonly SingleChange[]): Tracked {
  let tracked = from;
  for (const change of list) tracked = changeSimple(tracked, [change], context);
  return tracked;
}

function shown({ config, peers }: Tracked): unknown {
  return { config, peers: peers.map(({ id, isLearner, next }) => ({ id, isLearner, next })) };
}

const empty: Tracked = { config: emptyConfState, peers: [] };

describe("configuration changes", () => {
  test("all at once through a joint configuration ends like one after the other", () => {
    fc.assert(
      fc.property(setup, changes, fc.boolean(), (first, list, autoLeave) => {
        const start = bySteps(empty, first);
        const joint = enterJoint(start, { autoLeave, changes: list }, context);
        expect(joint.config.votersOutgoing).toEqual(start.config.voters);
        expect(joint.config.autoLeave).toBe(autoLeave);
        expect(shown(leaveJointConfig(joint, context))).toEqual(shown(bySteps(start, list)));
      }),
      { numRuns: 500 },
    );
  });

  test("every configuration, joint or not, survives a restart", () => {
    fc.assert(
      fc.property(setup, changes, (first, list) => {
        const joint = enterJoint(
          bySteps(empty, first),
          { autoLeave: true, changes: list },
          context,
        );
        expect(shown(restoreConfig(joint.config, context))).toEqual(shown(joint));
        const left = leaveJointConfig(joint, context);
        expect(shown(restoreConfig(left.config, context))).toEqual(shown(left));
      }),
      { numRuns: 500 },
    );
  });

  test("a refused change leaves the progress as it was", () => {
    const start = bySteps(empty, [keep, { type: "addVoter", id: 2n }]);
    const before = shown(start);
    const demoteAll: SingleChange[] = [
      { type: "addLearner", id: 1n },
      { type: "addLearner", id: 2n },
    ];
    expect(() => changeSimple(start, demoteAll, context)).toThrow("removed all voters");
    expect(shown(start)).toEqual(before);
  });

  test("a member keeps its progress when it becomes a voter", () => {
    const start = bySteps(empty, [keep, { type: "addLearner", id: 2n }]);
    start.peers[1]?.acknowledge(40);
    const [, promoted] = bySteps(start, [{ type: "addVoter", id: 2n }]).peers;
    expect(promoted).toMatchObject({ id: 2n, isLearner: false, match: 40, next: 41 });
    expect(promoted?.decrease(40, 12)).toBe(true);
  });

  test("a configuration that cannot be is refused", () => {
    const learnerAndVoter = { ...emptyConfState, voters: [1n, 2n], learners: [2n] };
    expect(() => restoreConfig(learnerAndVoter, context)).toThrow("a learner has no vote");
  });
});
