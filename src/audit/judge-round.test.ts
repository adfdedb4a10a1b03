/**
 * Verdicts on rounds made by hand: what counts as divergence, what as lag, and what nobody can
 * tell.
 */
import { describe, expect, test } from "vitest";
import type { HashAnswer, HashAsk, HashRefusal, MemberEvidence, StatusSample } from "./evidence.js";
import { judgeRound, progressOf } from "./judge-round.js";

type Place = readonly [appliedIndex: number, revision: number];

function samples(id: number, places: readonly Place[], more: Partial<StatusSample> = {}) {
  return places.map(([appliedIndex, revision]) => ({
    clusterId: 1n,
    memberId: BigInt(id),
    version: "3.5.16",
    revision,
    appliedIndex,
    isLeader: id === 1,
    isLearner: false,
    errors: [],
    ...more,
  }));
}

/** Makes member m<id> with its passes. A pass that is one place is a rest there. */
function member(
  id: number,
  passes: readonly (Place | readonly Place[])[],
  more: Partial<StatusSample> = {},
): MemberEvidence {
  return {
    endpoint: `m${id}`,
    name: undefined,
    passes: passes.map((pass) => {
      const places = (typeof pass[0] === "number" ? [pass, pass, pass] : pass) as readonly Place[];
      return samples(id, places, more);
    }),
    failure: undefined,
    readFailure: undefined,
  };
}
const down = (id: number): MemberEvidence => ({ ...member(id, []), failure: "no connection" });

function ask(revision: number, ...outcomes: readonly (HashRefusal | number | Place)[]): HashAsk {
  const answers = outcomes.map((outcome, at): [string, HashAnswer | HashRefusal] => {
    if (typeof outcome === "object" && "refused" in outcome) return [`m${at + 1}`, outcome];
    const [hash, compactRevision] = typeof outcome === "number" ? [outcome, 5] : outcome;
    return [`m${at + 1}`, { hash, revision, compactRevision }];
  });
  return { revision, outcomes: new Map(answers) };
}
const refused = (why: HashRefusal["refused"]): HashRefusal => ({ refused: why, text: "why" });

function judge(
  members: readonly MemberEvidence[],
  asks: readonly HashAsk[],
  more: { readonly clusterSize?: number; readonly before?: ReadonlyMap<string, number> } = {},
) {
  const round = { members, asks, clusterSize: more.clusterSize, unasked: [] };
  const { verdict, findings, agreed } = judgeRound(round, more.before);
  const [first] = findings;
  return {
    verdict,
    kinds: findings.map(({ kind }) => kind),
    suspects: first?.suspects,
    text: first?.text ?? "",
    agreed: agreed?.revision,
  };
}
const rest: Place = [30, 20];
const three = [1, 2, 3].map((id) => member(id, [rest]));

describe("clean", () => {
  test("equal hashes of all members", () => {
    expect(judge(three, [ask(20, 7, 7, 7)])).toMatchObject({
      verdict: "clean",
      kinds: [],
      agreed: 20,
    });
  });

  test("a member that is behind, with the same history, lags", () => {
    const behind = member(3, [[22, 12]]);
    const round = judge([...three.slice(0, 2), behind], [ask(12, 7, 7, 7)]);
    expect(round).toMatchObject({ verdict: "clean", kinds: ["lag"] });
    expect(round.text).toBe("m3 is behind: applied index 22 of 30; its history is equal up to 12");
  });

  test("members that are written to, sampled at different moments", () => {
    const passes: Place[][] = [
      [
        [30, 20],
        [35, 24],
        [41, 31],
      ],
      [
        [50, 40],
        [55, 44],
        [61, 51],
      ],
    ];
    const late = passes.map((pass) => pass.map(([i, r]): Place => [i + 2, r + 2]));
    const round = judge([member(1, passes), member(2, late)], [ask(40, 7, 7)]);
    expect(round).toMatchObject({ verdict: "clean", kinds: [] });
  });

  test("a compaction between two answers, and one mismatch that did not stay", () => {
    const asks = [
      ask(20, [7, 5], [8, 19], [7, 5]),
      ask(20, 7, 8, 7),
      ask(20, [9, 19], [9, 19], [9, 19]),
    ];
    expect(judge(three, asks)).toMatchObject({ verdict: "clean", kinds: [], agreed: 20 });
  });

  test("what does not count: NOSPACE, no linearizable read, a learner without hash", () => {
    const members = [
      member(1, [rest], { errors: ["memberID:1 alarm:NOSPACE "] }),
      { ...member(2, [rest]), readFailure: "no leader" },
      member(3, [rest], { isLearner: true }),
    ];
    const round = judge(members, [ask(20, 7, 7)], { clusterSize: 2 });
    expect(round).toMatchObject({ verdict: "clean", kinds: ["alarm", "read", "learner"] });
  });
});

describe("divergence", () => {
  const skewed = [
    member(1, [rest, rest]),
    member(2, [
      [30, 19],
      [30, 19],
    ]),
    member(3, [rest, rest]),
  ];

  test("another hash of the same history, seen twice: the majority is told", () => {
    const round = judge(three, [ask(20, 7, 8, 7), ask(20, 7, 8, 7)]);
    expect(round).toMatchObject({ verdict: "divergence", kinds: ["hash"], suspects: ["m2"] });
    expect(round.text).toContain("at revision 20 (compact revision 5): 7 at m1, m3; 8 at m2");
  });

  test("another hash of a member that is behind", () => {
    const members = [...three.slice(0, 2), member(3, [[22, 12]])];
    const round = judge(members, [ask(12, 7, 7, 8), ask(12, 7, 7, 8)]);
    expect(round).toMatchObject({
      verdict: "divergence",
      kinds: ["hash", "lag"],
      suspects: ["m3"],
    });
  });

  test("another revision after the same entry, although the hashes are equal", () => {
    const round = judge(skewed, [ask(19, 7, 7, 7)]);
    expect(round).toMatchObject({ verdict: "divergence", kinds: ["revision"], suspects: ["m2"] });
    expect(round.text).toContain(
      "after the same log entries: at applied index 30 revision 20 at m1, m3; revision 19 at m2",
    );
  });

  test("a lower revision of a member that is ahead in the log", () => {
    const ahead: Place[] = [
      [36, 18],
      [37, 18],
      [39, 18],
    ];
    const round = judge([member(1, [rest, rest]), member(2, [ahead, ahead])], [ask(18, 7, 7)]);
    expect(round).toMatchObject({
      verdict: "divergence",
      kinds: ["revision", "lag"],
      suspects: [],
    });
    expect(round.text).toContain("m1 has at least revision 20, m2 at most 18");
  });

  test("not from one pass alone: a start or a snapshot looks like that for a moment", () => {
    const moment = member(2, [
      [30, 22],
      [32, 22],
    ]);
    const settled = [member(1, [rest, [32, 22]]), moment];
    expect(judge(settled, [ask(20, 7, 7)])).toMatchObject({ verdict: "clean", kinds: [] });
  });

  test("two members: who is wrong cannot be told", () => {
    const two = three.slice(0, 2);
    const round = judge(two, [ask(20, 7, 8), ask(20, 7, 8)], { clusterSize: 3 });
    expect(round).toMatchObject({ verdict: "divergence", suspects: [] });
    expect(round.text).toContain("it cannot be told who is wrong");
  });

  test("three members of three opinions", () => {
    const round = judge(three, [ask(20, 7, 8, 9), ask(20, 7, 8, 9)]);
    expect(round).toMatchObject({ verdict: "divergence", suspects: [] });
  });

  test("three of five members agree, one differs, one is down", () => {
    const members = [...three, member(4, [rest]), down(5)];
    const asks = [ask(20, 7, 7, 8, 7), ask(20, 7, 7, 8, 7)];
    expect(judge(members, asks)).toMatchObject({
      verdict: "divergence",
      kinds: ["hash", "unreachable"],
      suspects: ["m3"],
    });
    const four = [ask(20, 7, 8, 8, 7), ask(20, 7, 8, 8, 7)];
    expect(judge(members, four)).toMatchObject({ verdict: "divergence", suspects: [] });
  });

  test("members of different clusters", () => {
    const stranger = member(3, [[5, 3]], { clusterId: 2n });
    const round = judge([...three.slice(0, 2), stranger], [ask(3, 7, 7, 8), ask(3, 7, 7, 8)]);
    expect(round).toMatchObject({ verdict: "divergence", suspects: ["m3"] });
    expect(round.kinds).not.toContain("hash");
  });

  test("the cluster's own alarm, of a member or of nobody", () => {
    const alarmed = (id: string) =>
      three.map((_, at) => member(at + 1, [rest], { errors: [`${id}alarm:CORRUPT `] }));
    const named = judge(alarmed("memberID:2 "), [ask(20, 7, 7, 7)]);
    expect(named).toMatchObject({ verdict: "divergence", kinds: ["corrupt"], suspects: ["m2"] });
    const nobody = judge(alarmed(""), [ask(20, 7, 7, 7)]);
    expect(nobody).toMatchObject({ verdict: "divergence", kinds: ["corrupt"], suspects: [] });
    expect(nobody.text).toBe("alarm CORRUPT of no member in particular");
  });
});

describe("it cannot be told", () => {
  test("a member is down and the others agree; or only one answers", () => {
    const round = judge([...three.slice(0, 2), down(3)], [ask(20, 7, 7)]);
    expect(round).toMatchObject({ verdict: "unknown", kinds: ["unreachable"], agreed: 20 });
    expect(round.text).toBe("m3 cannot be asked: no connection");
    const alone = judge([member(1, [rest]), down(2), down(3)], []);
    expect(alone).toMatchObject({ verdict: "unknown", kinds: ["unreachable", "unreachable"] });
  });

  test("two endpoints lead to one member", () => {
    const twin = { ...member(1, [rest]), endpoint: "twin" };
    expect(judge([member(1, [rest]), twin], [])).toMatchObject({
      verdict: "unknown",
      kinds: ["alone"],
    });
    expect(judge([], [])).toMatchObject({ verdict: "unknown" });
  });

  test.each([
    ["denied", "needs a user with the role root"],
    ["unsupported", "is not supported"],
    ["compacted", "is compacted here already"],
    ["future", "is not here yet"],
    ["failed", "HashKV failed: why"],
  ] as const)("one member's HashKV is refused: %s", (why, text) => {
    const round = judge(three, [ask(20, 7, refused(why), 7)]);
    expect(round).toMatchObject({ verdict: "unknown", kinds: ["uncompared"] });
    expect(round.text).toContain(text);
  });

  test("a refusal does not hide what the other members say", () => {
    const asks = [ask(20, 7, refused("compacted"), 8), ask(20, 7, refused("compacted"), 8)];
    expect(judge(three, asks)).toMatchObject({ verdict: "divergence", kinds: ["hash"] });
  });

  test("the compact revision stays different", () => {
    const asks = [1, 2, 3].map(() => ask(20, [7, 5], [8, 19], [8, 19]));
    const round = judge(three, asks);
    expect(round).toMatchObject({ verdict: "unknown", kinds: ["uncompared"] });
    expect(round.text).toContain("5 at m1, 19 at m2, 19 at m3");
  });

  test("no revision is kept by all", () => {
    const answer = (revision: number): HashAnswer => ({ hash: 7, revision, compactRevision: 20 });
    const outcomes = new Map([
      ["m1", answer(20)],
      ["m2", answer(21)],
      ["m3", answer(21)],
    ]);
    const round = judge(three, [{ revision: 20, outcomes }]);
    expect(round).toMatchObject({ verdict: "unknown", kinds: ["uncompared"] });
    expect(round.text).toContain("20 at m1, 21 at m2, 21 at m3");
  });

  test("versions that hash tombstones differently, unless their hashes are equal", () => {
    const mixed = [
      member(1, [rest], { version: "3.4.23" }),
      member(2, [rest], { version: "3.5.16" }),
    ];
    const round = judge(mixed, [ask(20, 7, 8), ask(20, 7, 8)]);
    expect(round).toMatchObject({ verdict: "unknown", kinds: ["uncompared"] });
    expect(round.text).toContain("3.4.23 at m1, 3.5.16 at m2");
    expect(judge(mixed, [ask(20, 7, 7)])).toMatchObject({ verdict: "clean" });
  });
});

describe("progress from round to round", () => {
  const before = progressOf({
    members: [member(1, [rest]), member(2, [[25, 15]]), down(3)],
    asks: [],
    clusterSize: 3,
    unasked: [],
  });

  test("a member that does not move while others do is stalled", () => {
    const round = [member(1, [[40, 30]]), member(2, [[25, 15]])];
    expect(judge(round, [ask(15, 7, 7)], { before }).kinds).toEqual(["lag", "stalled"]);
    const moving = [member(1, [[40, 30]]), member(2, [[26, 16]])];
    expect(judge(moving, [ask(16, 7, 7)], { before }).kinds).toEqual(["lag"]);
  });

  test("nobody is stalled while nobody moves", () => {
    const round = [member(1, [rest]), member(2, [[25, 15]])];
    expect(judge(round, [ask(15, 7, 7)], { before }).kinds).toEqual(["lag"]);
  });
});
