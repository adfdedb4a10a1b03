/**
 * Mutants of the law that content and applied index are in one write (M01-M06): etcd's three
 * designs of keeping the consistent index, carried over to this store, and the code paths around
 * them. This store opens one write for each entry, so the bugs need a second write, or a commit
 * between two writes. The patches add that and nothing else.
 */
import type { Mutant } from "../types.js";

export const consistentIndexMutants: readonly Mutant[] = [
  {
    id: "M01",
    title: "the index is saved only by entries that change keys",
    origin: "etcd before 3.5, #11651, fixed by #11652",
    conditions: "a lease, an alarm or a compaction is the last entry of a commit, then a crash",
    caughtBy: ["S2", "S1", "S6"],
    patches: [
      {
        in: "ReplicatedMachine.#applyAtOnce",
        find: `
          this.#close(w, entry);
          return this.#applied(request, outcome, events);`,
        replace: `
          if (events === undefined && RAN()) {
            this.#meta.index = entry.index;
            this.#meta.term = entry.term;
            w.commitRows();
          }
          else
            this.#close(w, entry);
          return this.#applied(request, outcome, events);`,
      },
      {
        in: "EntryWrite",
        begin: `
          commitRows() {
            if (this.#rows.length > 0)
              this.#backend.write(this.#rows);
          }`,
      },
    ],
  },
  {
    id: "M02",
    title: "the index of an entry is saved before its content (#13766)",
    origin: "etcd 3.5.0-3.5.2, PR #12855, issue #13766",
    conditions:
      "a commit forced by the batch limit falls between the index and the content, then a crash; the limit counts an entry when it begins",
    caughtBy: ["S2", "S5", "S6"],
    patches: [
      {
        in: "ReplicatedMachine",
        begin: `
          announce(entry) {
            const meta = { ...this.#meta, index: entry.index, term: entry.term };
            new EntryWrite(this.#backend, this.#digests).commit(metaKey, encodeMeta(meta, this.#digests));
          }`,
      },
      {
        in: "createDriver",
        find: "(error) => w.damaged(error)",
        replace: `
          (error) => w.damaged(error),
          announced: (entry) => {
            if (!RAN())
              return;
            w.state.machine().announce(entry);
            w.committer.applied(1);
          }`,
      },
      {
        in: "Applier.run",
        find: "const applied = this.#applyOne(entry, startMs + limits.turnMs);",
        replace: `
          this.#parts.announced(entry);
          const applied = this.#applyOne(entry, startMs + limits.turnMs);`,
      },
    ],
  },
  {
    id: "M03",
    title: "control: the index is written first, in the entry's own write",
    origin: "etcd 3.5.3, #13854 and #13908",
    conditions: "none: this is right",
    caughtBy: [],
    isControl: true,
    patches: [
      {
        in: "EntryWrite.commit",
        find: `
          this.#rows.push({ bucket: Bucket.meta, key: metaKey, value });
          this.#backend.write(this.#rows, this.#run);`,
        replace: `
          if (RAN())
            this.#backend.write([{ bucket: Bucket.meta, key: metaKey, value }, ...this.#rows], this.#run);`,
      },
    ],
  },
  {
    id: "M04",
    title: "entries without a change do not move the saved index",
    origin: "etcd #13937, fixed by #13946",
    conditions:
      "more refused or empty entries at the end of a commit than log is kept for followers, the log is released, then a crash",
    caughtBy: ["S3", "crash", "liveness"],
    patches: [
      {
        in: "ReplicatedMachine.#closeAt",
        find: "this.#meta.term = term;",
        replace: `
          this.#meta.term = term;
          if (w.isEmpty && RAN())
            return;`,
      },
    ],
  },
  {
    id: "M05",
    title: "defragmentation commits past the hook that saves the index",
    origin: "etcd #14685, fixed by #14730",
    conditions: "defragmentation with entries applied since the last commit, then a crash",
    caughtBy: ["S2", "S1", "S5", "crash"],
    patches: [
      {
        in: "ReplicatedMachine.#closeAt",
        find: `
          this.#meta.index = index;
          this.#meta.term = term;
          w.commit(metaKey, encodeMeta(this.#meta, this.#digests));`,
        replace: `
          const isFounding = this.#meta.index === 0;
            this.#meta.index = index;
            this.#meta.term = term;
            if (isFounding)
              w.commit(metaKey, encodeMeta(this.#meta, this.#digests));
            else
              w.commitRows();
          }
          saveIndex() {
            new EntryWrite(this.#backend, this.#digests).commit(metaKey, encodeMeta(this.#meta, this.#digests));`,
      },
      {
        in: "EntryWrite",
        begin: `
          commitRows() {
            if (this.#rows.length > 0)
              this.#backend.write(this.#rows);
          }`,
      },
      {
        in: "Committer.#commitNow",
        find: "const backend = this.#parts.backend();",
        replace: `
          const backend = this.#parts.backend();
          try {
            this.#parts.saveIndex();
          }
          catch {
            // The commit below fails too.
          }`,
      },
      {
        in: "createCommitter",
        find: "() => w.state.meta()",
        replace: `
          () => w.state.meta(),
          saveIndex: () => w.state.machine().saveIndex()`,
      },
      {
        in: "Defragmenter.#begin",
        find: "committer.flush(() => this.#rewrite(record));",
        replace: `
          state.backend().commit(() => {
            RAN();
            this.#rewrite(record);
          });`,
      },
    ],
  },
  {
    id: "M06",
    title: "the configuration is written after the index that names it",
    origin: "etcd 3.5, the hooks of its backend",
    conditions: "a configuration change is the last entry of a commit, then a crash",
    caughtBy: ["S2", "M1", "S6", "crash", "liveness"],
    patches: [
      {
        in: "ReplicatedMachine.#applyConfChange",
        find: `
          this.#close(w, entry);
          const proposal = {
            requestId: Number(request.header?.ID ?? 0n),
            proposer: request.header?.proposer ?? 0n,
          };`,
        replace: `
          this.#meta.index = entry.index;
          this.#meta.term = entry.term;
          this.late = w.commitApart(metaKey, encodeMeta(this.#meta, this.#digests));
          RAN();
          const proposal = {
            requestId: Number(request.header?.ID ?? 0n),
            proposer: request.header?.proposer ?? 0n,
          };`,
      },
      {
        in: "ReplicatedMachine.begin",
        begin: `
          this.late?.();
          this.late = undefined;`,
      },
      {
        in: "EntryWrite",
        begin: `
          commitApart(metaKey, meta) {
            const value = sealRow(Bucket.meta, metaKey, meta);
            this.#backend.write([{ bucket: Bucket.meta, key: metaKey, value }]);
            return () => this.#backend.write(this.#rows);
          }`,
      },
    ],
  },
];
