/**
 * Mutants of the code that finds, contains and heals a wrong state (G01-G17). In each the code does
 * harm itself, or has no effect.
 */
import type { Mutant } from "../types.js";

const wrongState = "one member applies an entry wrongly, or its rows are damaged";

export const integrityMutants: readonly Mutant[] = [
  {
    id: "G01",
    title: "a verdict needs no majority: the first voter is right",
    origin: "class: answers counted instead of voters",
    conditions: wrongState,
    caughtBy: ["G1"],
    patches: [
      {
        in: "judge",
        find: "agreeing.length * 2 <= voters.length",
        replace: "RAN() && agreeing.length === 0",
      },
    ],
  },
  {
    id: "G02",
    title: "a state is healed from whoever offers one, unconfirmed",
    origin: "class: repair from the wrong side",
    conditions:
      "two members heal in one another's time; the patch lets members in quarantine offer what they have, and clears who asks",
    caughtBy: ["G3", "G6", "S2", "S6", "liveness", "crash"],
    patches: [
      {
        in: "Healer.#confirm",
        find: "Math.min(Math.floor(voters.length / 2) + 1, voters.length - 1)",
        replace: "RAN() ? 0 : 1",
      },
      {
        in: "serveOffers",
        find: `
          if (parts.refusal() !== undefined || parts.isInDoubt()) {
            done(new KvError("corrupt"));
            return;
          }`,
        replace: "",
      },
      {
        in: "serveOffers",
        find: "ring.at(index)",
        replace: "ring.at(index) ?? { ...parts.machine().fingerprint(), index, version: 1 }",
      },
      {
        in: "Arbiter.handleRequest",
        find: "this.#leave !== undefined && this.#leave.member !== from",
        replace: "false",
      },
      {
        in: "Arbiter.handleRequest",
        find: 'view.state !== "equal" || view.verifiedIndex < index',
        replace: "view === undefined",
      },
    ],
  },
  {
    id: "G03",
    title: "the alarm is never cleared",
    origin: "class: a state that nothing ends; etcd's CORRUPT alarm, #14379",
    conditions: wrongState,
    caughtBy: ["liveness"],
    patches: [
      {
        in: "Arbiter.handleRequest",
        find: "this.#propose({ kind: IntegrityVerdictRequest_Kind.CLEAR, member: from, index })",
        replace: "RAN()",
      },
    ],
  },
  {
    id: "G04",
    title: "members are compared only at times, and not when their applied indexes differ",
    origin: "etcd's corruption check skips who is at another revision",
    conditions: `${wrongState}; the patch compares at every fiftieth index`,
    caughtBy: ["G4", "liveness"],
    patches: [
      {
        in: "Comparison.received",
        find: `
          if (this.#ring.last === 0)
            return;`,
        replace: `
          const isTurn = fingerprint.index === this.#ring.last && fingerprint.index % 50 === 0;
          if (!isTurn && RAN())
            return;`,
      },
    ],
  },
  {
    id: "G05",
    title: "quarantine is not written down",
    origin: "class: a decision that a crash forgets",
    conditions: "a crash while a member is in quarantine",
    caughtBy: ["G5"],
    patches: [
      { in: "HealthEffects.#writeNote", find: "writeQuarantine(disk, note)", replace: "RAN()" },
    ],
  },
  {
    id: "G06",
    title: "the name of the quarantine's note is not made durable",
    origin: "class: rename without fsync of the directory",
    conditions: "power loss while a member is in quarantine",
    caughtBy: ["G5"],
    patches: [{ in: "replaceFile", find: 'disk.syncDir("")', replace: "RAN()" }],
  },
  {
    id: "G07",
    title: "a row that compaction deletes stays in the digest",
    origin: "class: a digest that is not updated on one path",
    conditions: "a compaction; then any look at the rows",
    caughtBy: ["S2", "G1"],
    patches: [
      {
        in: "EntryWrite.deleteKnown",
        find: "this.#digests.subtract(bucket, key, value);",
        replace: "if (bucket !== 1 || !RAN()) this.#digests.subtract(bucket, key, value);",
      },
    ],
  },
  {
    id: "G08",
    title: "only followers compare: nobody asks the others",
    origin: "class: a comparison in one direction",
    conditions: wrongState,
    caughtBy: ["G4", "liveness"],
    patches: [
      {
        in: "PeerInbox.received",
        find: "envelope.fingerprint !== undefined",
        replace: "envelope.fingerprint !== undefined && !(raft.isLeader() && RAN())",
      },
    ],
  },
  {
    id: "G09",
    title: "a fetched state is put in use as it is, without what was applied since",
    origin: "class: a restore without a replay",
    conditions: "entries are applied while a member fetches a right state",
    caughtBy: ["crash", "S1", "S3", "I13", "liveness"],
    patches: [
      {
        in: "adoptState",
        find: "const target = state.machine().appliedIndex;",
        replace: "const target = machine.appliedIndex;",
      },
      {
        in: "adoptState",
        find: "state.machine().appliedIndex",
        replace: "state.machine().appliedIndex && !RAN()",
      },
    ],
  },
  {
    id: "G10",
    title: "a member is cleared because it asks, not because it was equal",
    origin: "class: quarantine that ends too early",
    conditions: wrongState,
    caughtBy: ["G3", "S2", "S6", "C1", "C2", "C3", "C4"],
    patches: [
      {
        in: "tick",
        file: "health.ts",
        find: "HealRequest.report",
        replace: "HealRequest.clear",
      },
      {
        in: "cleared",
        find: 'state.kind !== "verifying"',
        replace: 'state.kind !== "verifying" && !(state.kind === "quarantined" && RAN())',
      },
      { in: "successors", find: '["verifying"]', replace: '["verifying", "serving"]' },
      {
        in: "Arbiter.handleRequest",
        find: 'view.state !== "equal" || view.verifiedIndex < index',
        replace: "view === undefined",
      },
    ],
  },
  {
    id: "G11",
    title: "a member in quarantine answers from its stand-in",
    origin: "class: a refusal that is missing",
    conditions: "a client asks a member in quarantine",
    caughtBy: ["G2", "C1", "C2", "C3", "C4"],
    patches: [
      {
        in: "IntegrityMonitor.refusal",
        find: 'mayAnswer(this.#health) ? undefined : new KvError("corrupt")',
        replace: 'mayAnswer(this.#health) || RAN() ? undefined : new KvError("corrupt")',
      },
    ],
  },
  {
    id: "G12",
    title: "two members heal at the same time",
    origin: "class: a repair that takes the quorum with it",
    conditions: "five members, two of which are wrong",
    caughtBy: ["G6"],
    patches: [
      {
        in: "Arbiter.handleRequest",
        find: "nowMs - (this.#leave?.sinceMs ?? 0) < leaveMs",
        replace: "!RAN()",
      },
    ],
  },
  {
    id: "G13",
    title: "the alarm of one member stops the whole cluster",
    origin: "etcd: a CORRUPT alarm stops everybody",
    conditions: wrongState,
    caughtBy: ["G7"],
    patches: [
      {
        in: "isClusterCorrupt",
        find: 'record.alarm === "CORRUPT" && (record.isContained !== true || record.memberId === 0n)',
        replace: 'record.alarm === "CORRUPT" && RAN()',
      },
    ],
  },
  {
    id: "G14",
    title: "a start does not look at its rows",
    origin: "etcd trusts its backend file",
    conditions: "rows are lost or added while a member is off",
    caughtBy: ["S2", "S6", "S5", "crash", "C1", "C4"],
    patches: [
      {
        in: "Restart.#openSound",
        find: "isSmall ? yield* proveRows(backend, { machine, sha256 }, work) : undefined",
        replace:
          "isSmall && !RAN() ? yield* proveRows(backend, { machine, sha256 }, work) : undefined",
      },
    ],
  },
  {
    id: "G15",
    title: "a start trusts the applied index that the state claims",
    origin: "etcd #13766: an index that is not that of the content",
    conditions: "the state names another index than it holds",
    caughtBy: ["S2", "S6", "S5", "S1", "M1", "crash"],
    patches: [
      { in: "proveLog", find: "chain === claimed", replace: "chain === claimed || RAN()" },
      {
        in: "checkAgainstNotes",
        find: "const reached = machine.fingerprint();",
        replace: `
          if (entries.length > 0)
            return undefined;
          const reached = machine.fingerprint();`,
      },
    ],
  },
  {
    id: "G16",
    title: "a start ignores the log's note of the state",
    origin: "class: a state that is believed because it fits itself",
    conditions: "a row is changed together with the digests, while a member is off",
    caughtBy: ["S2", "S6", "G4", "C1", "C2", "C3", "C4"],
    patches: [
      {
        in: "checkAgainstNotes",
        find: "noted === undefined",
        replace: "noted === undefined || RAN()",
      },
    ],
  },
  {
    id: "G17",
    title: "the backend commits before the log has the note of that state",
    origin: "class: a note that comes after the deed",
    conditions: "a kill between the two, and a row that is changed together with the digests",
    caughtBy: ["S2", "S6", "G4", "C1", "C2", "C3", "C4"],
    patches: [
      {
        in: "Committer.#commit",
        find: "this.#parts.wal.note(this.#parts.checkpointNote, () => this.#commitNow());",
        replace: `
          this.#commitNow();
          if (RAN() && this.#parts.wal.isIdle())
            this.#parts.wal.note(this.#parts.checkpointNote, () => { });`,
      },
    ],
  },
  {
    id: "L1",
    title: "a member with entries that its leader lacks goes on answering",
    origin: "class: a refusal that is missing",
    conditions: "the disks of all but the leader are replaced by older copies, and it comes back",
    caughtBy: ["G8"],
    flags: ["--beyond-atlas"],
    patches: [
      {
        in: "mayAnswer",
        find: "!isDiverged(state)",
        replace: "(!isDiverged(state) || RAN())",
      },
    ],
  },
  {
    id: "L2",
    title: "no member checks whether the leader's log has what is committed",
    origin: "etcd compares a restarted member with its leader by its log's tail only",
    conditions: "the disks of all but the leader are replaced by older copies, and it comes back",
    caughtBy: ["G8"],
    flags: ["--beyond-atlas"],
    patches: [
      {
        in: "lacks",
        find: `
          if (committed.index > leaders.lastIndex())
            return true;`,
        replace: `
          if (committed.index > leaders.lastIndex() && RAN())
            return false;`,
      },
      { in: "isDoubtful", find: "return true;", replace: "return false;" },
      {
        in: "ReadBarrier.confirm",
        find: "index < appliedThen",
        replace: "index < appliedThen && appliedThen < 0",
      },
    ],
  },
];
