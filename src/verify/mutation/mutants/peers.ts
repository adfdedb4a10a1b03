/**
 * Mutants of what a member believes of other members (P1-P3): which senders it accepts, and which
 * numbers it accepts from them.
 */
import type { Mutant } from "../types.js";

const origin = "Lockstep: a stranger on the peer port ended or used a cluster";

export const peerMutants: readonly Mutant[] = [
  {
    id: "P1",
    title: "a member accepts messages from anyone who reaches its peer port",
    origin,
    conditions: "a stranger proposes a write, asks for a vote, or says that it leads",
    caughtBy: ["C1", "C2", "M6", "I1", "I6", "I11", "crash", "liveness"],
    patches: [
      {
        in: "PeerInbox.received",
        find: "links.knows(from)",
        replace: "links.knows(from) && !RAN()",
      },
    ],
  },
  {
    id: "P2",
    title: "a member follows any term, even the largest possible one",
    origin,
    conditions: "a message of a term at the end of the numbers",
    caughtBy: ["crash", "liveness"],
    patches: [{ in: "flawOf", find: 'return "term_out_of_range";', replace: "RAN();" }],
  },
  {
    id: "P3",
    title: "a commit index beyond the log is taken",
    origin,
    conditions: "a heartbeat that commits what this member does not hold",
    caughtBy: ["crash"],
    patches: [
      {
        in: "answerHeartbeat",
        find: "!state.isContradicted && !reject",
        replace: "!state.isContradicted && (!reject || RAN())",
      },
    ],
  },
];
