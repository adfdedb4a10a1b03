/**
 * Mutants of apply and of the key space: what all members must do alike at the same entry (M42-M46,
 * M53, M58, M59), and what compaction and a restart must keep (M51, M52).
 */
import type { Mutant } from "../types.js";

export const mvccMutants: readonly Mutant[] = [
  {
    id: "M42",
    title: "a restored state lacks the keys attached to its leases",
    origin: "etcd #14571, #18055: one store is left out of a restore",
    conditions: "a restart or a snapshot, then the revocation of a lease with keys",
    caughtBy: ["S6", "C6", "S2"],
    patches: [
      {
        in: "ReplicatedMachine.restore",
        find: "(key, lease) => this.leases.attach(key, lease)",
        replace: "() => RAN()",
      },
    ],
  },
  {
    id: "M43",
    title: "a snapshot names a lower index than its content has",
    origin: "etcd #4527: the database is copied after the index was chosen",
    conditions:
      "entries were applied since the last commit when a snapshot is made; the receiver here proves what it got, so its look at the index is gone too",
    caughtBy: ["I13", "S3", "S2", "S6", "S1", "crash"],
    patches: [
      {
        in: "Committer",
        begin: `
          durableMeta() {
            return this.#durable;
          }`,
      },
      {
        in: "SnapshotTransfer.constructor",
        find: `
          (done) => parts.committer().flush((proof) => {
            done({ view: parts.state.view(), ...proof });
          })`,
        replace: `
          (done, chosen = parts.committer().durableMeta()) => parts.committer().flush((proof) => {
            done({ view: parts.state.view(), ...proof });
          })`,
      },
      {
        in: "SnapshotTransfer.constructor",
        find: "done({ view: parts.state.view(), ...proof });",
        replace: `
          if (chosen.index < proof.meta.index)
            RAN();
          done({ view: parts.state.view(), ...proof, meta: chosen });`,
      },
      {
        in: "SnapshotSink.take",
        find: "fetched?.machine.appliedIndex !== index",
        replace: "fetched === undefined",
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
        in: "createDriver",
        find: "() => w.state.writableMachine()",
        replace: `
          () => {
            const machine = w.state.writableMachine();
            machine.unixMs = () => w.platform.clock.unixMs();
            return machine;
          }`,
      },
      {
        in: "ReplicatedMachine.#execute",
        find: "this.leases.grant(w, ID, toSafe(TTL))",
        replace:
          "RAN() && this.leases.grant(w, ID, toSafe(TTL), toSafe(TTL) - (Math.floor(this.unixMs?.() ?? 0) % 2))",
      },
      {
        in: "LeaseTable.grant",
        find: "{ id, grantedTtl: ttl, remainingTtl: 0, changes: 0, keys: new SortedTexts() }",
        // The patch adds the fourth argument.
        replace:
          "{ id, grantedTtl: ttl, remainingTtl: arguments[3], changes: 0, keys: new SortedTexts() }",
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
        in: "MovableBackend",
        begin: `
          sizes() {
            return this.#backend.sizes();
          }`,
      },
      {
        in: "ReplicatedMachine.#applyAtOnce",
        find: "if (events !== undefined) this.#meta.revision = events.revision;",
        replace: `
          if (events !== undefined)
            this.#meta.revision = events.revision;
          if (events !== undefined && this.#backend.sizes().total > 14_000 && RAN())
            w.put(6, Uint8Array.of(113), Uint8Array.of(events.revision & 255));`,
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
        in: "isNeeded",
        find: "!row.isTombstone || row.main === compactRevision",
        replace: "!(row.isTombstone && RAN())",
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
        in: "ReplicatedMachine.restore",
        find: "yield* this.kv.restore(work, (key, lease) => this.leases.attach(key, lease));",
        replace: `
          yield* this.kv.restore(work, (key, lease) => this.leases.attach(key, lease));
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
    title: "a member where no client waits skips the reads of a transaction, and their checks",
    origin: "etcd #18667",
    conditions: "a transaction with a write and a read of a compacted revision",
    caughtBy: ["S6", "S2"],
    patches: [
      {
        in: "largeRequest",
        find: "applyTxn(writer, leases, txn, way)",
        replace: "applyTxn(writer, leases, way.room === undefined ? withoutReads(txn) : txn, way)",
      },
      {
        in: "largeRequest",
        begin: `
          const withoutReads = (all) => {
            const isKept = ({ request }) => request?.$case !== "request_range" || !RAN();
            return { ...all, success: all.success.filter(isKept), failure: all.failure.filter(isKept) };
          };`,
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
        in: "KvWriter.events",
        find: `
          if (this.#changes === this.#events.length)
            return { revision, events: this.#events };`,
        replace: `
          if (this.#changes === this.#events.length)
          {
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
        in: "Proposer.propose",
        find: "proposals.enqueue(EntryType.normal, encoder.encode(id, field, body, caller));",
        replace: `
          const data = encoder.encode(id, field, body);
          proposals.enqueue(EntryType.normal, data);
          this.#parts.clock.after(2_000, () => {
            if (!this.#parts.isStopping() && proposals.isWaiting(id) && RAN()) {
              proposals.enqueue(EntryType.normal, data);
              this.#parts.schedule();
            }
          });`,
      },
      {
        in: "Proposals",
        begin: `
          isWaiting(id) {
            return this.#waiting.has(id);
          }`,
      },
    ],
  },
];
