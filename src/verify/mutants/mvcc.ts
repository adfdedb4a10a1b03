/**
 * Mutants of apply and of the key space: what members must do alike at the same entry (M42-M46,
 * M53, M58, M59), and what compaction and a restart must leave (M51, M52).
 */
import type { Mutant } from "./types.js";

export const mvccMutants: readonly Mutant[] = [
  {
    id: "M42",
    title: "a restored state lacks what hangs on its leases",
    origin: "etcd #14571, #18055: one store is left out of a restore",
    conditions: "a restart or a snapshot, then the revocation of a lease with keys",
    caughtBy: ["S6", "C6", "S2"],
    patches: [
      {
        file: "state/machine.js",
        find: "        this.kv.restore((key, lease) => this.leases.attach(key, lease));",
        replace: "        this.kv.restore(() => RAN());",
      },
    ],
  },
  {
    id: "M43",
    title: "a snapshot names an index that its content is past",
    origin: "etcd #4527: the database is copied after the index was chosen",
    conditions:
      "entries were applied since the last commit when a snapshot is made; the receiver here proves what it got, so its look at the index is gone too",
    caughtBy: ["I13", "S3", "S2", "S6", "S1", "crash"],
    patches: [
      {
        file: "member/committer.js",
        find: "    durableIndex() {",
        replace: "    durableMeta() {\n        return this.#durable;\n    }\n    durableIndex() {",
      },
      {
        file: "member/snapshot-transfer.js",
        find: "            freeze: (done) => parts.committer().flush((proof) => {",
        replace:
          "            freeze: (done, chosen = parts.committer().durableMeta()) => parts.committer().flush((proof) => {",
      },
      {
        file: "member/snapshot-transfer.js",
        find: "                done({ view: parts.state.view(), ...proof });",
        replace:
          "                if (chosen.index < proof.meta.index)\n                    RAN();\n                done({ view: parts.state.view(), ...proof, meta: chosen });",
      },
      {
        file: "member/snapshot-sink.js",
        find: "        if (fetched?.machine.appliedIndex !== index)",
        replace: "        if (fetched === undefined)",
      },
    ],
  },
  {
    id: "M44",
    title: "a revoked lease deletes its keys in the order of their puts",
    origin: "class: the order of a Map or a Set in apply",
    conditions:
      "a lease with several keys, of which one was put again, is revoked while one member was restored and another was not; the patch also keeps a lease's keys by their last put",
    caughtBy: ["S6", "S2"],
    patches: [
      {
        file: "state/lease/lease-table.js",
        find: "        return yield* sortInSlices([...lease.keys], work);",
        replace:
          "        if (lease.keys.size > 1)\n            RAN();\n        return [...lease.keys];",
      },
      {
        file: "state/lease/lease-table.js",
        find: "        if (before === lease)\n            return;\n",
        replace: "",
      },
    ],
  },
  {
    id: "M45",
    title: "apply looks at the clock",
    origin: "class: wall clock in apply",
    conditions: "a grant is applied in different milliseconds, or the clocks differ",
    caughtBy: ["S6", "S2"],
    patches: [
      {
        file: "member/engine.js",
        find: "            machine: () => this.machine(),\n            watch: () => this.watch,",
        replace: `            machine: () => {
                const machine = this.machine();
                machine.unixMs = () => this.#world.platform.clock.unixMs();
                return machine;
            },
            watch: () => this.watch,`,
      },
      {
        file: "state/machine.js",
        find: "                return this.leases.grant(w, ID, toSafe(TTL));",
        replace:
          "                return RAN() && this.leases.grant(w, ID, toSafe(TTL), toSafe(TTL) - (Math.floor(this.unixMs?.() ?? 0) % 2));",
      },
      {
        file: "state/lease/lease-table.js",
        find: "    grant(w, id, ttl) {",
        replace: "    grant(w, id, ttl, remainingTtl) {",
      },
      {
        file: "state/lease/lease-table.js",
        find: "grantedTtl: ttl, remainingTtl: 0, keys",
        replace: "grantedTtl: ttl, remainingTtl, keys",
      },
    ],
  },
  {
    id: "M46",
    title: "apply looks at the size of the member's own file",
    origin: "class: local state in apply, etcd #13514",
    conditions:
      "the file grows over the limit at other entries, or was rewritten on one member; the patch notes in the state that the limit is passed",
    caughtBy: ["S6", "S2"],
    patches: [
      {
        file: "state/machine.js",
        find: "            this.#meta.revision = events.revision;\n        this.#close(w, entry);",
        replace: `            this.#meta.revision = events.revision;
        if (events !== undefined && this.#backend.sizes().total > 14_000 && RAN())
            w.put(6, Uint8Array.of(113), Uint8Array.of(events.revision & 255));
        this.#close(w, entry);`,
      },
    ],
  },
  {
    id: "M51",
    title: "compaction drops the deletion at its own revision",
    origin: "etcd #18089 and #19179",
    conditions: "compaction at the revision of a deletion, and a watch from that revision on",
    caughtBy: ["C5"],
    patches: [
      {
        file: "state/mvcc/compaction.js",
        find: "    return !row.isTombstone || row.main === compactRevision;",
        replace: "    return !(row.isTombstone && RAN());",
      },
    ],
  },
  {
    id: "M52",
    title: "a restart takes the revision from the rows",
    origin: "etcd #17780",
    conditions:
      "the newest change is a deletion, then a restart; this store keeps the revision beside the index and never drops the newest row, so the patch reads the newest row that holds a value",
    caughtBy: ["S5", "S2", "S6", "C1", "C3"],
    patches: [
      {
        file: "state/machine.js",
        find: "        this.kv.restore((key, lease) => this.leases.attach(key, lease));",
        replace: `        this.kv.restore((key, lease) => this.leases.attach(key, lease));
        let newest = 1;
        this.kv.rows.scan(1, { from: new Uint8Array(0), reverse: true }, (key) => {
            if (key.length > 17)
                return RAN();
            newest = Number(new DataView(key.buffer, key.byteOffset).getBigUint64(0));
            return false;
        });
        if (this.#meta.index > 0)
            this.#meta.revision = newest;`,
      },
    ],
  },
  {
    id: "M53",
    title: "a member nobody waits at skips the reads of a transaction, and their checks",
    origin: "etcd #18667",
    conditions: "a transaction with a write and a read of a compacted revision",
    caughtBy: ["S6", "S2"],
    patches: [
      {
        file: "state/large-request.js",
        find: "            return ({ writer, way }) => applyTxn(writer, leases, txn, way);",
        replace:
          "            return ({ writer, way }) => applyTxn(writer, leases, way.room === undefined ? withoutReads(txn) : txn, way);",
      },
      {
        file: "state/large-request.js",
        find: "function* revoke(",
        replace: `function withoutReads(txn) {
    const isKept = ({ request }) => request?.$case !== "request_range" || !RAN();
    return { ...txn, success: txn.success.filter(isKept), failure: txn.failure.filter(isKept) };
}
function* revoke(`,
      },
    ],
  },
  {
    id: "M58",
    title: "the events of a transaction hold one change twice",
    origin: "etcd #17247",
    conditions: "a transaction that changes two keys, and a watch of both",
    caughtBy: ["C5"],
    patches: [
      {
        file: "state/mvcc/kv-writer.js",
        find: "            return { revision, events: this.#events };",
        replace: `{
            const events = this.#events;
            if (events.length > 1 && RAN())
                return { revision, events: [...events, events[0]] };
            return { revision, events };
        }`,
      },
    ],
  },
  {
    id: "M59",
    title: "a request without an answer is sent again by itself",
    origin: "class: a retry that is not idempotent",
    conditions: "an answer takes longer than two election timeouts and the first one still counts",
    caughtBy: ["C1", "C2", "S1"],
    patches: [
      {
        file: "member/engine.js",
        find: "        this.proposals.enqueue(EntryType.normal, this.#encoder.encode(id, field, body));",
        replace: `        const data = this.#encoder.encode(id, field, body);
        this.proposals.enqueue(EntryType.normal, data);
        this.#world.platform.clock.after(2 * this.#world.config.electionMs, () => {
            if (this.#stopCause === undefined && this.proposals.isWaiting(id) && RAN()) {
                this.proposals.enqueue(EntryType.normal, data);
                this.#driver.schedule();
            }
        });`,
      },
      {
        file: "member/proposals.js",
        find: "    pending() {",
        replace:
          "    isWaiting(id) {\n        return this.#waiting.has(id);\n    }\n    pending() {",
      },
    ],
  },
];
