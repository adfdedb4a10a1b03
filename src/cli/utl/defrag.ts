/**
 * The command defrag: rewrites the backend of a stopped member densely, in a new file that takes
 * the place of the old one.
 */
import fs from "node:fs";
import path from "node:path";
import { holdsMember } from "../../platform/node/data-dir.js";
import { createNodeDisk } from "../../platform/node/disk.js";
import { createLmdbBackendStore } from "../../platform/node/lmdb/backend.js";
import { readSlot, writeSlot } from "../../storage/backend-slot.js";
import { print } from "../ctl/context.js";
import { CtlError, Exit } from "../ctl/flags.js";
import type { UtlCommand } from "./command.js";

export const defrag: UtlCommand = {
  usage: "defrag --data-dir DIR",
  flags: { "data-dir": "", "wal-dir": "" },
  async run({ args, flags }) {
    const dataDir = flags.text("data-dir");
    if (args.length > 0 || dataDir === "") {
      throw new CtlError("defrag needs --data-dir, the folder of a stopped member", Exit.badArgs);
    }
    if (!holdsMember(dataDir, flags.text("wal-dir"))) {
      const isEtcd = fs.existsSync(path.join(dataDir, "member", "snap", "db"));
      throw new CtlError(
        isEtcd
          ? `${dataDir} is the data directory of an etcd: use etcdutl defrag, or make a member of it with lockstep utl migrate`
          : `${dataDir} holds no member`,
      );
    }
    const disk = createNodeDisk(
      dataDir,
      (_level, message) => print(`${message}\n`),
      flags.text("wal-dir"),
    );
    try {
      disk.lock();
      const slot = readSlot(disk);
      if (slot === undefined) throw new CtlError(`${dataDir} names no backend`);
      const backends = createLmdbBackendStore(path.join(dataDir, "backends"));
      const backend = backends.open(slot);
      const before = backend.sizes().total;
      const next = nextName(backends.list());
      try {
        await new Promise<void>((resolve, reject) => {
          backend.copyTo(next, (error) => (error === undefined ? resolve() : reject(error)));
        });
      } finally {
        await new Promise<void>((resolve) => backend.close(resolve));
      }
      writeSlot(disk, next);
      backends.remove(slot);
      const after = fs.statSync(path.join(dataDir, "backends", `${next}.mdb`)).size;
      print(
        `finished defragmenting directory ${dataDir}: ${before} bytes before, ${after} after\n`,
      );
    } finally {
      disk.close();
    }
    return 0;
  },
};

/** The next name "state-<n>", as a running member would choose it. */
function nextName(names: readonly string[]): string {
  const numbers = names.map((name) => Number(/^state-(\d+)$/.exec(name)?.[1] ?? -1));
  return `state-${Math.max(-1, ...numbers) + 1}`;
}
