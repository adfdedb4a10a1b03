/**
 * Mutants of watches (M54-M57; W1-W9 each break one of etcd's rules of a watch for which no
 * historical bug is known).
 */
import type { Mutant } from "../types.js";

export const watchMutants: readonly Mutant[] = [
  {
    id: "M54",
    title: "a slow watcher misses events and is not told",
    origin: "etcd #17529",
    conditions: "a client that does not read while its keys change",
    caughtBy: ["C5"],
    patches: [{ in: "Hub.notify", find: "this.#fallBehind(watcher, revision)", replace: "RAN()" }],
  },
  {
    id: "M55",
    title: "a progress notification overtakes events",
    origin: "etcd #15220",
    conditions: "progress is due while a client does not read, or its watch catches up",
    caughtBy: ["C5"],
    patches: [
      {
        in: "isCurrent",
        find: 'watcher.state === "synced"',
        replace: '(watcher.state === "synced" || RAN())',
      },
      {
        in: "Hub.tickProgress",
        find: "!watcher.sawEvents && !stream.isFull && isCurrent(watcher, revision)",
        replace: "!watcher.sawEvents && isCurrent(watcher, revision)",
      },
      {
        in: "Hub.#requestProgress",
        find: `
          stream.isProgressAsked = stream.isFull;
          if (stream.isFull || stream.watchers.size === 0)
            return;`,
        replace: `
          if (stream.watchers.size === 0)
            return;`,
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
        in: "TurnEvents.installSnapshot",
        find: "watch.closeAll",
        replace: "watch.restored",
      },
      {
        in: "Hub",
        begin: `
          restored() {
            for (const stream of this.#streams) {
              for (const watcher of stream.watchers.values()) {
                if (watcher.state !== "synced" || !RAN())
                  continue;
                this.#synced.remove(watcher);
                this.#wait(watcher);
              }
            }
            this.#notified = 0;
          }`,
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
        in: "Hub.#create",
        find: "startRevision === 0 ? revision + 1 : startRevision",
        replace:
          "startRevision === 0 || (startRevision > revision + 1 && RAN()) ? revision + 1 : startRevision",
      },
    ],
  },
  {
    id: "W1",
    title: "a filter of deletions is forgotten",
    origin: "etcd's robustness tests, rule: filter",
    conditions: "a watch without deletions, and a deletion",
    caughtBy: ["C5"],
    patches: [{ in: "isWanted", find: "watcher.noDelete", replace: "watcher.noDelete || RAN()" }],
  },
  {
    id: "W2",
    title: "the previous value is the one after the change",
    origin: "etcd's robustness tests, rule: prevKV",
    conditions: "a watch that asks for previous values",
    caughtBy: ["C5"],
    patches: [
      {
        in: "EventView.#readPrev",
        find: "this.#revision - 1",
        replace: "this.#revision - (RAN() ? 0 : 1)",
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
        in: "eventOf",
        find: 'return { type: "put", key: kv.key, kv: value, isCreate: kv.version === 1 };',
        replace: `
          const told = kv.version > 1 && RAN() ? { ...kv, createRevision: main, version: 1 } : kv;
          return { type: "put", key: kv.key, kv: encodeKeyValue(told), isCreate: kv.version === 1 };`,
        uses: ["encodeKeyValue"],
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
      { in: "Hub.notify", find: "events.length === 1", replace: "events.length === 1 || RAN()" },
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
        in: "CatchUp.#visit",
        find: "watcher.pending.push(view.listFor(watcher)[0]);",
        replace: `
          if (watcher.pending.length > 0)
            RAN();
          watcher.pending.unshift(view.listFor(watcher)[0]);`,
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
        in: "isCurrent",
        find: "revision >= watcher.startRevision",
        replace: "(revision >= watcher.startRevision || RAN())",
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
        in: "Hub.#cancelCompacted",
        find: "this.#drop(watcher);",
        replace: `
          if (RAN()) {
            watcher.next = compactRevision;
            continue;
          }`,
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
        in: "Hub.#resume",
        find: "this.#wait(watcher);",
        replace: `
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
        in: "eventOf",
        find: 'return { type: "put", key: kv.key, kv: value, isCreate: kv.version === 1 };',
        replace: `
          const told = kv.lease !== 0n && RAN() ? encodeKeyValue({ ...kv, lease: 0n }) : value;
          return { type: "put", key: kv.key, kv: told, isCreate: kv.version === 1 };`,
        uses: ["encodeKeyValue"],
      },
    ],
  },
];
