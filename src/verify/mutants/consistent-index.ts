/**
 * Mutants of the law that content and applied index stand in one write (M01-M06): etcd's three
 * designs of keeping the consistent index, carried over to this store, and the paths around them.
 *
 * This store opens one write for each entry, so the bugs need a second write, or a commit that
 * falls between two; the patches make that place and nothing else.
 */
import type { Mutant } from "./types.js";

/** A row of its own that says which entry the state stands at. */
const announce = {
  file: "state/machine.js",
  find: "    begin(entry, way) {\n        invariant(",
  replace: `    announce(entry) {
        const meta = { ...this.#meta, index: entry.index, term: entry.term };
        new EntryWrite(this.#backend, this.#digests).commit(metaKey, encodeMeta(meta, this.#digests));
    }
    begin(entry, way) {
        invariant(`,
} as const;

export const consistentIndexMutants: readonly Mutant[] = [
  {
    id: "M01",
    title: "the index is saved only by entries that change keys",
    origin: "etcd before 3.5, #11651, fixed by #11652",
    conditions: "a lease, an alarm or a compaction is the last entry of a commit, then a crash",
    caughtBy: ["S2", "S1", "S6", "C7"],
    patches: [
      {
        file: "state/machine.js",
        find: "            this.#meta.revision = events.revision;\n        this.#close(w, entry);",
        replace: `            this.#meta.revision = events.revision;
        if (events === undefined && RAN()) {
            this.#meta.index = entry.index;
            this.#meta.term = entry.term;
            w.commitRows();
        }
        else
            this.#close(w, entry);`,
      },
      {
        file: "state/entry-write.js",
        find: "    commit(metaKey, meta) {",
        replace: `    commitRows() {
        if (this.#rows.length > 0)
            this.#backend.write(this.#rows);
    }
    commit(metaKey, meta) {`,
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
      announce,
      {
        file: "member/engine.js",
        find: "            applyConfChange: (change) => this.raft.applyConfChange(change),",
        replace: `            announced: (entry) => {
                if (!RAN())
                    return;
                this.machine().announce(entry);
                this.committer.applied(1);
            },
            applyConfChange: (change) => this.raft.applyConfChange(change),`,
      },
      {
        file: "member/applier.js",
        find: "                const applied = this.#applyOne(",
        replace:
          "                this.#parts.announced(entry);\n                const applied = this.#applyOne(",
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
        file: "state/entry-write.js",
        find: "        this.#rows.push({ bucket: Bucket.meta, key: metaKey, value });\n        this.#backend.write(this.#rows, this.#run);",
        replace:
          "        if (RAN())\n            this.#backend.write([{ bucket: Bucket.meta, key: metaKey, value }, ...this.#rows], this.#run);",
      },
    ],
  },
  {
    id: "M04",
    title: "entries without a change do not move the saved index",
    origin: "etcd #13937, fixed by #13946",
    conditions:
      "more refused or empty entries at the end of a commit than log is kept for followers, the log is released, then a crash",
    caughtBy: ["S3", "S4", "crash", "liveness"],
    patches: [
      {
        file: "state/machine.js",
        find: "        this.#meta.term = term;\n        w.commit(metaKey, encodeMeta(this.#meta, this.#digests));",
        replace: `        this.#meta.term = term;
        if (w.isEmpty && RAN())
            return;
        w.commit(metaKey, encodeMeta(this.#meta, this.#digests));`,
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
        file: "state/machine.js",
        find: "        this.#meta.index = index;\n        this.#meta.term = term;\n        w.commit(metaKey, encodeMeta(this.#meta, this.#digests));",
        replace: `        const isFounding = this.#meta.index === 0;
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
        file: "state/entry-write.js",
        find: "    commit(metaKey, meta) {",
        replace: `    commitRows() {
        if (this.#rows.length > 0)
            this.#backend.write(this.#rows);
    }
    commit(metaKey, meta) {`,
      },
      {
        file: "member/committer.js",
        find: "        backend.commit((error) => {",
        replace: `        try {
            this.#parts.saveIndex();
        }
        catch {
            // The commit below fails too.
        }
        backend.commit((error) => {`,
      },
      {
        file: "member/create-committer.js",
        find: "        appliedMeta: () => state.meta(),",
        replace:
          "        appliedMeta: () => state.meta(),\n        saveIndex: () => state.machine().saveIndex(),",
      },
      {
        file: "member/defragmenter.js",
        find: "        committer.flush(() => {",
        replace: "        state.backend().commit(() => {\n            RAN();",
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
        file: "state/machine.js",
        find: "        this.#close(w, entry);\n        const proposal = {",
        replace: `        this.#meta.index = entry.index;
        this.#meta.term = entry.term;
        this.late = w.commitApart(metaKey, encodeMeta(this.#meta, this.#digests));
        RAN();
        const proposal = {`,
      },
      {
        file: "state/machine.js",
        find: "    begin(entry, way) {\n        invariant(",
        replace:
          "    begin(entry, way) {\n        this.late?.();\n        this.late = undefined;\n        invariant(",
      },
      {
        file: "state/entry-write.js",
        find: "    commit(metaKey, meta) {",
        replace: `    commitApart(metaKey, meta) {
        const value = sealRow(Bucket.meta, metaKey, meta);
        this.#backend.write([{ bucket: Bucket.meta, key: metaKey, value }]);
        return () => this.#backend.write(this.#rows);
    }
    commit(metaKey, meta) {`,
      },
    ],
  },
];
