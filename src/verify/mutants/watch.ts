/**
 * Mutants of watching (M54-M57 and, as W1-W9, one for each of etcd's rules of a watch that the
 * history of bugs does not cover).
 */
import type { Mutant } from "./types.js";

const hub = "state/mvcc/watch-hub.js";

export const watchMutants: readonly Mutant[] = [
  {
    id: "M54",
    title: "a slow watcher misses events and is not told",
    origin: "etcd #17529",
    conditions: "a client that does not read while its keys change",
    caughtBy: ["C5"],
    patches: [
      {
        file: hub,
        find: "                    this.#fallBehind(watcher, revision);\n                }\n                else if (",
        replace: "                    RAN();\n                }\n                else if (",
      },
    ],
  },
  {
    id: "M55",
    title: "a progress notification overtakes events",
    origin: "etcd #15220",
    conditions: "progress is due while a client does not read, or its watch catches up",
    caughtBy: ["C5"],
    patches: [
      {
        file: hub,
        find: '    return watcher.state === "synced" && revision >= watcher.startRevision;',
        replace:
          '    return (watcher.state === "synced" || RAN()) && revision >= watcher.startRevision;',
      },
      {
        file: hub,
        find: "const isDue = !watcher.sawEvents && !stream.isFull && isCurrent(watcher, revision);",
        replace: "const isDue = !watcher.sawEvents && isCurrent(watcher, revision);",
      },
      {
        file: hub,
        find: "        stream.isProgressAsked = stream.isFull;\n        if (stream.isFull || stream.watchers.size === 0)",
        replace: "        if (stream.watchers.size === 0)",
      },
    ],
  },
  {
    id: "M56",
    title: "watchers survive a snapshot and go on where they once began",
    origin: "etcd #15271",
    conditions: "a watch that has seen events, at a member that then takes a snapshot",
    caughtBy: ["C5"],
    patches: [
      {
        file: "member/engine.js",
        find: "this.watch.closeAll();\n            this.links.sync();",
        replace: "this.watch.restored();\n            this.links.sync();",
      },
      {
        file: hub,
        find: "    closeAll() {",
        replace: `    restored() {
        for (const stream of this.#streams) {
            for (const watcher of stream.watchers.values()) {
                if (watcher.state !== "synced" || !RAN())
                    continue;
                this.#synced.remove(watcher);
                this.#wait(watcher);
            }
        }
        this.#notified = 0;
    }
    closeAll() {`,
      },
    ],
  },
  {
    id: "M57",
    title: "a watch of the future begins at once",
    origin: "etcd #20221",
    conditions: "a client goes on at a member that is behind what it has seen",
    caughtBy: ["C5"],
    patches: [
      {
        file: hub,
        find: "            next: startRevision === 0 ? revision + 1 : startRevision,",
        replace:
          "            next: startRevision === 0 || (startRevision > revision + 1 && RAN()) ? revision + 1 : startRevision,",
      },
    ],
  },
  {
    id: "W1",
    title: "a filter of deletions is forgotten",
    origin: "etcd's robustness tests, rule: filter",
    conditions: "a watch without deletions, and a deletion",
    caughtBy: ["C5"],
    patches: [
      {
        file: "state/mvcc/watch-event.js",
        find: '    return event.type === "put" ? !watcher.noPut : !watcher.noDelete;',
        replace: '    return event.type === "put" ? !watcher.noPut : !watcher.noDelete || RAN();',
      },
    ],
  },
  {
    id: "W2",
    title: "the previous value is the one after the change",
    origin: "etcd's robustness tests, rule: prevKV",
    conditions: "a watch that asks for previous values",
    caughtBy: ["C5"],
    patches: [
      {
        file: "state/mvcc/watch-event.js",
        find: "        const before = this.#revision - 1;",
        replace: "        const before = this.#revision - (RAN() ? 0 : 1);",
      },
    ],
  },
  {
    id: "W3",
    title: "a watch that catches up tells every put as a creation",
    origin: "etcd's robustness tests, rule: isCreate",
    conditions: "a watch of the past, and a key that was put twice",
    caughtBy: ["C5"],
    patches: [
      {
        file: "state/mvcc/kv-store.js",
        find: 'import { decodeKeyValue } from "../../wire/key-value.js";',
        replace: 'import { decodeKeyValue, encodeKeyValue } from "../../wire/key-value.js";',
      },
      {
        file: "state/mvcc/kv-store.js",
        find: '    return { type: "put", key: kv.key, kv: value, isCreate: kv.version === 1 };',
        replace: `    const told = kv.version > 1 && RAN() ? { ...kv, createRevision: main, version: 1 } : kv;
    return { type: "put", key: kv.key, kv: encodeKeyValue(told), isCreate: kv.version === 1 };`,
      },
    ],
  },
  {
    id: "W4",
    title: "the events of one revision come in several answers",
    origin: "etcd's robustness tests, rule: atomic",
    conditions: "a transaction that changes two keys, and a watch of both",
    caughtBy: ["C5"],
    patches: [
      {
        file: hub,
        find: "                else if (events.length === 1) {",
        replace: "                else if (events.length === 1 || RAN()) {",
      },
    ],
  },
  {
    id: "W5",
    title: "a watch that catches up gets what it missed in the wrong order",
    origin: "etcd's robustness tests, rule: ordered",
    conditions: "a watch of the past, with two revisions to tell",
    caughtBy: ["C5"],
    patches: [
      {
        file: "state/mvcc/watch-catch-up.js",
        find: "                watcher.pending.push(view.listFor(watcher)[0]);",
        replace:
          "                if (watcher.pending.length > 0)\n                    RAN();\n                watcher.pending.unshift(view.listFor(watcher)[0]);",
      },
    ],
  },
  {
    id: "W6",
    title: "progress is told below the revision where the watch begins",
    origin: "etcd #20221",
    conditions: "a watch of the future, and progress before it is reached",
    caughtBy: ["C5"],
    patches: [
      {
        file: hub,
        find: '    return watcher.state === "synced" && revision >= watcher.startRevision;',
        replace:
          '    return watcher.state === "synced" && (revision >= watcher.startRevision || RAN());',
      },
    ],
  },
  {
    id: "W7",
    title: "a watcher whose history is compacted away goes on without it",
    origin: "etcd #17529",
    conditions: "a client that does not read while its history is compacted",
    caughtBy: ["C5"],
    patches: [
      {
        file: hub,
        find: "                continue;\n            this.#drop(watcher);\n            const { id: watchId, stream } = watcher;",
        replace: `                continue;
            if (RAN()) {
                watcher.next = compactRevision;
                continue;
            }
            const { id: watchId, stream } = watcher;`,
      },
    ],
  },
  {
    id: "W8",
    title: "a stream that can take more is not filled from the store",
    origin: "class: a lost wake-up",
    conditions: "a client that did not read for a while",
    caughtBy: ["C5", "liveness"],
    patches: [
      {
        file: hub,
        find: "        for (const watcher of parked)\n            this.#wait(watcher);",
        replace: `        for (const watcher of parked)
            if (RAN()) {
                watcher.state = "synced";
                this.#synced.add(watcher);
            }`,
      },
    ],
  },
  {
    id: "W9",
    title: "a watch that catches up leaves out the lease of a put",
    origin: "etcd's robustness tests, rule: reliable",
    conditions: "a watch of the past, and a put with a lease",
    caughtBy: ["C5"],
    patches: [
      {
        file: "state/mvcc/kv-store.js",
        find: 'import { decodeKeyValue } from "../../wire/key-value.js";',
        replace: 'import { decodeKeyValue, encodeKeyValue } from "../../wire/key-value.js";',
      },
      {
        file: "state/mvcc/kv-store.js",
        find: '    return { type: "put", key: kv.key, kv: value, isCreate: kv.version === 1 };',
        replace: `    const told = kv.lease !== 0n && RAN() ? encodeKeyValue({ ...kv, lease: 0n }) : value;
    return { type: "put", key: kv.key, kv: told, isCreate: kv.version === 1 };`,
      },
    ],
  },
];
