/**
 * Mutants of what finds, contains and heals a wrong state (G01-G17), and of what finds that a majority
 * has lost entries (L1, L2): each is a way in which such machinery does harm itself, or does nothing.
 */
import type { Mutant, Patch } from "./types.js";

const wrongState = "one member applies an entry wrongly, or its rows are damaged";

function court(find: string, replace: string): Patch {
  return { file: "member/integrity/court.js", find, replace };
}

function guardian(find: string, replace: string): Patch {
  return { file: "member/integrity/guardian.js", find, replace };
}

export const integrityMutants: readonly Mutant[] = [
  {
    id: "G01",
    title: "a verdict needs no majority: the first voter is right",
    origin: "class: answers counted instead of voters",
    conditions: wrongState,
    caughtBy: ["G1"],
    patches: [
      {
        file: "member/integrity/verdict.js",
        find: "if (agreeing.length * 2 <= voters.length)",
        replace: "if (RAN() && agreeing.length === 0)",
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
        file: "member/integrity/healer.js",
        find: "        const needed = Math.min(Math.floor(voters.length / 2) + 1, voters.length - 1);",
        replace: "        const needed = RAN() ? 0 : 1;",
      },
      guardian(
        `            if (this.refusal() !== undefined || this.#doubt !== undefined) {
                done(new KvError("corrupt"));
                return;
            }
            this.#parts.offer(({ manifest, index }) => {
                const proof = this.ring.at(index);`,
        `            this.#parts.offer(({ manifest, index }) => {
                const proof = this.ring.at(index) ?? { ...this.#parts.machine().fingerprint(), index, version: 1 };`,
      ),
      court(
        "                const isOther = this.#leave !== undefined && this.#leave.member !== from;",
        "                const isOther = false;",
      ),
      court('if (view.state !== "equal" || view.verifiedIndex < index)', "if (view === undefined)"),
    ],
  },
  {
    id: "G03",
    title: "the alarm is never cleared",
    origin: "class: a state that nothing ends; etcd's CORRUPT alarm, #14379",
    conditions: wrongState,
    caughtBy: ["liveness"],
    patches: [
      court(
        "                this.#propose({ kind: IntegrityVerdictRequest_Kind.CLEAR, member: from, index });",
        "                RAN();",
      ),
    ],
  },
  {
    id: "G04",
    title: "members are compared now and then, and skipped when they stand at different indexes",
    origin: "etcd's corruption check skips who is at another revision",
    conditions: `${wrongState}; the patch compares at every fiftieth index`,
    caughtBy: ["G4", "liveness"],
    patches: [
      {
        file: "member/integrity/comparison.js",
        find: "        if (this.#ring.last === 0)\n            return;",
        replace:
          "        const isTurn = proof.index === this.#ring.last && proof.index % 50 === 0;\n        if (!isTurn && RAN())\n            return;",
      },
    ],
  },
  {
    id: "G05",
    title: "quarantine is not written down",
    origin: "class: a decision that a crash forgets",
    conditions: "a crash while a member is in quarantine",
    caughtBy: ["G5"],
    patches: [guardian("            writeQuarantine(disk, note);", "            RAN();")],
  },
  {
    id: "G06",
    title: "the name of the quarantine's note is not made durable",
    origin: "class: rename without fsync of the directory",
    conditions: "power loss while a member is in quarantine",
    caughtBy: ["G5"],
    patches: [
      {
        file: "member/integrity/quarantine-file.js",
        find: '    disk.rename(draft, path);\n    disk.syncDir("");',
        replace: "    disk.rename(draft, path);\n    RAN();",
      },
    ],
  },
  {
    id: "G07",
    title: "a row that compaction deletes stays in the digest",
    origin: "class: a digest that is not updated on one path",
    conditions: "a compaction; then any look at the rows",
    caughtBy: ["S2", "G1"],
    patches: [
      {
        file: "state/entry-write.js",
        find: "    deleteKnown(bucket, key, value) {\n        this.#digests.subtract(bucket, key, value);",
        replace:
          "    deleteKnown(bucket, key, value) {\n        if (bucket !== 1 || !RAN())\n            this.#digests.subtract(bucket, key, value);",
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
        file: "member/engine.js",
        find: "        if (envelope.proof !== undefined)\n",
        replace: "        if (envelope.proof !== undefined && !(this.raft.isLeader() && RAN()))\n",
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
        file: "member/integrity/adoption.js",
        find: "            const target = state.machine().appliedIndex;",
        replace: "            const target = machine.appliedIndex;",
      },
      {
        file: "member/integrity/adoption.js",
        find: "        if (machine.appliedIndex < state.machine().appliedIndex) {",
        replace: "        if (machine.appliedIndex < state.machine().appliedIndex && !RAN()) {",
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
      guardian(
        "            send(Plea.report, this.#quarantine?.index ?? 0);",
        "            send(Plea.clear, this.#quarantine?.index ?? 0);",
      ),
      guardian(
        "        if (this.#quarantine === undefined || !this.#isAdopted)\n            return;\n        this.#parts",
        "        if (this.#quarantine === undefined || !RAN())\n            return;\n        this.#parts",
      ),
      court('if (view.state !== "equal" || view.verifiedIndex < index)', "if (view === undefined)"),
    ],
  },
  {
    id: "G11",
    title: "the stand-in is answered from",
    origin: "class: a refusal that is missing",
    conditions: "a client asks a member in quarantine",
    caughtBy: ["G2", "C1", "C2", "C3", "C4"],
    patches: [
      guardian(
        '        return isFine ? undefined : new KvError("corrupt");',
        '        return isFine || RAN() ? undefined : new KvError("corrupt");',
      ),
    ],
  },
  {
    id: "G12",
    title: "two members heal at the same time",
    origin: "class: a repair that takes the quorum with it",
    conditions: "five members, two of which are wrong",
    caughtBy: ["G6"],
    patches: [
      court(
        "                if (isOther && nowMs - (this.#leave?.sinceMs ?? 0) < leaveMs)",
        "                if (isOther && !RAN())",
      ),
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
        file: "state/alarm/alarm-set.js",
        find: 'return record.alarm === "CORRUPT" && (record.isContained !== true || record.memberId === 0n);',
        replace: 'return record.alarm === "CORRUPT" && RAN();',
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
        file: "member/restart.js",
        find: "(isSmall ? proveRows(backend, machine, platform.hash.sha256) : undefined)",
        replace:
          "(isSmall && !RAN() ? proveRows(backend, machine, platform.hash.sha256) : undefined)",
      },
    ],
  },
  {
    id: "G15",
    title: "a start takes the applied index from the state as it stands",
    origin: "etcd #13766: an index that is not that of the content",
    conditions: "the state names another index than it holds",
    caughtBy: ["S2", "S6", "S5", "S1", "M1", "crash"],
    patches: [
      {
        file: "member/integrity/log-proof.js",
        find: "    if (chain === claimed)",
        replace: "    if (chain === claimed || RAN())",
      },
      {
        file: "member/integrity/witness.js",
        find: "    const reached = proofOf(machine.fingerprint());",
        replace:
          "    if (entries.length > 0)\n        return undefined;\n    const reached = proofOf(machine.fingerprint());",
      },
    ],
  },
  {
    id: "G16",
    title: "a start does not hear what the log noted of the state",
    origin: "class: a state that is believed because it fits itself",
    conditions: "a row is changed together with the digests, while a member is off",
    caughtBy: ["S2", "S6", "G4", "C1", "C2", "C3", "C4"],
    patches: [
      {
        file: "member/integrity/witness.js",
        find: "    if (noted === undefined)",
        replace: "    if (noted === undefined || RAN())",
      },
    ],
  },
  {
    id: "G17",
    title: "the backend goes ahead of the log's note of it",
    origin: "class: a witness that comes after the deed",
    conditions: "a kill between the two, and a row that is changed together with the digests",
    caughtBy: ["S2", "S6", "G4", "C1", "C2", "C3", "C4"],
    patches: [
      {
        file: "member/committer.js",
        find: "        this.#parts.wal.note(this.#parts.witness, () => this.#commitNow());",
        replace:
          "        this.#commitNow();\n        if (RAN() && this.#parts.wal.isIdle())\n            this.#parts.wal.note(this.#parts.witness, () => { });",
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
      guardian(
        "const isFine = this.#quarantine === undefined && this.divergence.own() === undefined;",
        "const isFine = this.#quarantine === undefined && (this.divergence.own() === undefined || RAN());",
      ),
    ],
  },
  {
    id: "L2",
    title: "nobody looks whether the leader's log has what is committed",
    origin: "etcd compares a restarted member with its leader by its log's tail only",
    conditions: "the disks of all but the leader are replaced by older copies, and it comes back",
    caughtBy: ["G8"],
    flags: ["--beyond-atlas"],
    patches: [
      {
        file: "raft/contradiction.js",
        find: "    if (committed.index > leaders.lastIndex())\n        return true;",
        replace: "    if (committed.index > leaders.lastIndex() && RAN())\n        return false;",
      },
      {
        file: "raft/contradiction.js",
        find: "    if (leaderEnd.index < committed.index)\n        return true;",
        replace: "    if (leaderEnd.index < committed.index)\n        return false;",
      },
      {
        file: "member/read-barrier.js",
        find: "        if (index < appliedThen) {",
        replace: "        if (index < appliedThen && appliedThen < 0) {",
      },
    ],
  },
];
