/**
 * The quorum cases of etcd-io/raft: what is committed and who won, including its picture of the
 * voters. Each case is also computed in other ways that must agree, as the files' own harness does.
 */
import { describe, expect, test } from "vitest";
import { jointCommitted, jointIds, jointVote } from "../quorum/joint.js";
import { majorityCommitted, majorityVote } from "../quorum/majority.js";
import { absentTitle, isCorpusPresent, readSuite } from "./corpus.fixture.js";
import type { Case } from "./datadriven.fixture.js";

const caseCounts = { joint_commit: 50, joint_vote: 39, majority_commit: 16, majority_vote: 22 };
const resultNames = { won: "VoteWon", pending: "VotePending", lost: "VoteLost" } as const;

interface Parsed {
  readonly incoming: readonly bigint[];
  /** The outgoing voters. Undefined: the case is about one majority. */
  readonly outgoing: readonly bigint[] | undefined;
  readonly reports: ReadonlyMap<bigint, string>;
}

/** Reports are given once per voter, in the order in which the voters are first named. */
function parse({ command, args }: Case): Parsed {
  const values = (key: string) => args.find((arg) => arg.key === key)?.values;
  const ids = (list: readonly string[] = []) =>
    [...new Set(list.filter((id) => id !== "zero").map(BigInt))].sort((a, b) => (a < b ? -1 : 1));
  const named = [...(values("cfg") ?? []), ...(values("cfgj") ?? [])];
  const voters = [...new Set(named.filter((id) => id !== "zero").map(BigInt))];
  const given = values(command === "vote" ? "votes" : "idx") ?? [];
  expect(given.length).toBe(voters.length);
  const pairs = voters.map((id, at) => [id, given[at] as string] as const);
  return {
    incoming: ids(values("cfg")),
    outgoing: values("cfgj") === undefined ? undefined : ids(values("cfgj")),
    reports: new Map(pairs.filter(([, report]) => report !== "_")),
  };
}

/**
 * Draws one line per voter. The bar is the voter's rank by index; `?` stands for a voter that did
 * not report.
 */
function picture(voters: readonly bigint[], acked: ReadonlyMap<bigint, number>): string {
  if (voters.length === 0) return "<empty majority quorum>";
  const width = voters.length;
  const lines = voters.map((id) => {
    const index = acked.get(id) ?? 0;
    const rank = voters.filter((other) => (acked.get(other) ?? 0) < index).length;
    const bar = acked.has(id) ? `${"x".repeat(rank)}>${" ".repeat(width - rank)}` : null;
    return `${bar ?? `?${" ".repeat(width)}`} ${String(index).padStart(5)}    (id=${id.toString(16)})\n`;
  });
  return `${" ".repeat(width)}    idx\n${lines.join("")}`;
}

function committed({ incoming, outgoing, reports }: Parsed): string {
  const acked = new Map([...reports].map(([id, report]) => [id, Number(report)]));
  const of = (id: bigint) => acked.get(id);
  const second = outgoing ?? [];
  const index = jointCommitted({ incoming, outgoing: second }, of);
  expect(jointCommitted({ incoming: second, outgoing: incoming }, of)).toBe(index);
  if (outgoing === undefined) {
    expect(majorityCommitted(incoming, of)).toBe(index);
    expect(jointCommitted({ incoming, outgoing: incoming }, of)).toBe(index);
    // Reports below the committed index do not matter: lowering them further changes nothing.
    for (const [id, own] of acked) {
      if (own >= index) continue;
      expect(majorityCommitted(incoming, (other) => (other === id ? 0 : of(other)))).toBe(index);
    }
  }
  const shown = index === Number.POSITIVE_INFINITY ? "∞" : String(index);
  return `${picture(jointIds({ incoming, outgoing: second }), acked)}${shown}`;
}

function vote({ incoming, outgoing, reports }: Parsed): string {
  const votes = new Map([...reports].map(([id, report]) => [id, report === "y"]));
  const second = outgoing ?? [];
  const result = jointVote({ incoming, outgoing: second }, votes);
  expect(jointVote({ incoming: second, outgoing: incoming }, votes)).toBe(result);
  if (outgoing === undefined) expect(majorityVote(incoming, votes)).toBe(result);
  return resultNames[result];
}

if (!isCorpusPresent) {
  test.skip(absentTitle, () => {});
} else {
  const suite = readSuite("quorum");

  describe("quorum cases of etcd-io/raft", () => {
    for (const [name, cases] of suite) {
      test(name, () => {
        for (const one of cases) {
          const actual = one.command === "vote" ? vote(parse(one)) : committed(parse(one));
          expect(actual, `line ${one.line}`).toBe(one.expected);
        }
      });
    }

    test("all cases are there", () => {
      const counts = [...suite].map(([name, cases]) => [name, cases.length]);
      expect(Object.fromEntries(counts)).toEqual(caseCounts);
    });
  });
}
