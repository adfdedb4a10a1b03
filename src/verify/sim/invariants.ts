/**
 * The invariants of a run, by their short names. Checks can report only these, the catalogue of
 * mutants names only these, and the table of docs/simulation.md is this list.
 */
import { watchRules } from "../watch-rules/validate-watches.js";
import type { WatchRuleId } from "../watch-rules/watch-rule.js";

/** What each invariant means. ../watch-rules defines the rules of watches. */
export const invariantTexts = {
  I1: "one leader per term",
  I2: "a member votes for one candidate per term, over all its lives",
  I3: "terms and commit indexes never fall in a life; commit is within the log",
  I4: "a leader never changes its own log",
  I5: "equal index and term, equal entry and equal predecessor's term",
  I6: "a new leader has every entry committed before its term",
  I7: "no two members commit different entries at one index",
  I8: "a leader counts only entries of its own term",
  I9: "what is committed is on the disks of a quorum, whatever a power failure takes",
  I10: "a vote or acknowledgement that left a member is on its disk, and stays",
  I11: "no entry is committed at a follower before it is at a leader",
  I12: "a follower's log holds what its leader counts as stored there",
  I13: "a state holds no entry that raft has not committed, also after a restart or a snapshot",
  M1: "the configuration is a function of the log; raft and state agree on it",
  M2: "voters change one at a time",
  M3: "one change of the configuration in flight",
  M4: "learners do not lead",
  M5: "the configuration always has a voter",
  M6: "a removed member does not come back; a member asks for votes only after a quorum granted its pre-vote",
  S1: "each index is applied once and in order in each life",
  S2: "the law: in every crash image, the content at index i equals the state of the first member that applied i, the stored digests match the rows, and the surviving log reproduces the same later states",
  S3: "in every crash image, no entry is missing between the backend's index and the log",
  S5: "revisions go up by one for each entry that changes keys; the compact revision never falls",
  S6: "equal index, equal root digest and equal outcome, on all members; snapshots and restarts included",
  N: "space is one answer: what grows the store is not applied under the alarm NOSPACE, and is refused only under it or by a member over its quota",
  A: "no answer and no event shows a key, and no entry changes one, without the right of its user at its index",
  K: "the cluster compacts by itself only by its leader's decision, and never what the retention keeps",
  V: "the cluster's version rises only when all members can serve it",
  C1: "what clients saw is linearizable",
  C2: "an acknowledged write takes effect once, a refused one never",
  C3: "no read is behind an acknowledged write",
  C4: "serializable reads are of one revision",
  C6: "a lease lives as long as the last acknowledged renewal promised",
  G1: "only a member whose state a fault has made wrong enters quarantine",
  G2: "a member in quarantine answers no client from its state",
  G3: "a member that is cleared has the same state as the others",
  G4: "a member with a wrong state is suspected before it has applied entries in 25 more turns, and no state is wrong at the end",
  G5: "a crash never makes a member forget its quarantine",
  G6: "one leader lets one member heal at a time",
  G7: "the alarm of one member does not stop the others",
  G8: "a member that has committed entries which its leader's log lacks answers no client from them; this alone still holds after a majority was rolled back",
  U1: "hashes (HashKV) of one revision above one compaction are equal on all members, whatever is done to them meanwhile",
  U2: "hashes, copies of the state and defragmentations end with a result or a refusal that is theirs, at any moment of a stop, an install or a healing; no request fails on a bug",
  liveness:
    "after healing: one leader, all caught up, fresh requests answered, also one that was on its way to a leader that dies, leases gone, watchers at the head",
  crash: "no member stops by itself but for an injected fault",
} as const;

/** "C5-ordered" is the rule of watches with that id. */
export type Invariant = keyof typeof invariantTexts | `C5-${WatchRuleId}`;

/** The invariants that a check looks for: all except the other ways in which a run may end. */
export type CheckedInvariant = Exclude<Invariant, "liveness" | "crash">;

/** All names, in the order of docs/simulation.md. */
export const invariants: readonly Invariant[] = [
  ...(Object.keys(invariantTexts) as (keyof typeof invariantTexts)[]),
  ...watchRules.map(({ id }) => `C5-${id}` as const),
];

/** True if the list above has the name. */
export function isInvariant(name: string): name is Invariant {
  return (invariants as readonly string[]).includes(name);
}
