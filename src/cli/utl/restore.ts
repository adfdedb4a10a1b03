/**
 * The commands snapshot restore and migrate: make the data directory of a member from a backup, or
 * from the data directory of a stopped etcd. The folder gets its name when it is complete; until
 * then it has another name beside it.
 */
import fs from "node:fs";
import path from "node:path";
import { resolveConfig } from "../../config/server-config.js";
import { EtcdBackendFile } from "../../etcd/backend-file.js";
import { importedRows } from "../../etcd/imported-rows.js";
import { type EtcdLog, isSegmentName, readEtcdLog } from "../../etcd/log-files.js";
import { type RestoredMember, restoreMember } from "../../member/startup/restored-member.js";
import { createNodeDisk } from "../../platform/node/disk.js";
import { nodeHash } from "../../platform/node/hash.js";
import { createLmdbBackendStore } from "../../platform/node/lmdb/backend.js";
import { nodeRng } from "../../platform/node/rng.js";
import { print } from "../ctl/context.js";
import { CtlError, Exit, type Flags, type FlagTable } from "../ctl/flags.js";
import type { UtlCommand } from "./command.js";
import { openFile } from "./file-source.js";

const memberFlags: FlagTable = {
  name: "default",
  "data-dir": "",
  "wal-dir": "",
  "initial-cluster": "",
  "initial-cluster-token": "etcd-cluster",
  "initial-advertise-peer-urls": "http://localhost:2380",
  "bump-revision": "0",
  "mark-compacted": false,
};

export const snapshotRestore: UtlCommand = {
  usage: "snapshot restore <file> --data-dir DIR [flags]",
  flags: { ...memberFlags, "skip-hash-check": false, "initial-memory-map-size": "0" },
  async run({ args, flags }) {
    const [file, ...more] = args;
    if (file === undefined || more.length > 0) {
      throw new CtlError("snapshot restore requires exactly one argument", Exit.badArgs);
    }
    const bump = bumpOf(flags);
    const source = openFile(file);
    try {
      const backend = new EtcdBackendFile(source);
      if (!flags.isOn("skip-hash-check")) backend.checkHash(nodeHash);
      const restored = await makeMember(flags, {
        ...{ rows: importedRows(backend), entries: [] },
        bumpRevision: bump,
      });
      print(`restored ${file} into ${dataDirOf(flags)}: ${told(restored)}\n`);
    } finally {
      source.close();
    }
    return 0;
  },
};

export const migrate: UtlCommand = {
  usage: "migrate --from ETCD-DIR --data-dir DIR [flags]",
  flags: { ...memberFlags, from: "", "from-wal-dir": "" },
  async run({ args, flags }) {
    const from = flags.text("from");
    if (args.length > 0 || from === "") {
      throw new CtlError(
        "migrate needs --from, the data directory of a stopped etcd",
        Exit.badArgs,
      );
    }
    const bump = bumpOf(flags);
    const source = openFile(newestBackend(from));
    try {
      const backend = new EtcdBackendFile(source);
      const { consistentIndex } = backend.facts();
      const walDir = flags.text("from-wal-dir") || path.join(from, "member", "wal");
      const log = readLog(walDir, consistentIndex);
      const restored = await makeMember(flags, {
        ...{ rows: importedRows(backend), entries: log.entries },
        bumpRevision: bump,
      });
      const { applied, passedOver } = restored.entries;
      const last = log.entries.at(-1);
      const end = last === undefined ? "" : `, up to index ${last.index} of term ${last.term}`;
      print(
        `the backend ends at index ${consistentIndex}; of the log behind it ${applied} requests were applied and ${passedOver} entries passed over${end}\n`,
      );
      const unsure = log.entries.filter(({ index }) => index > log.committed).length;
      if (unsure > 0) {
        print(
          `${unsure} of these entries are newer than the last one that this member knew to be committed (${log.committed})\n`,
        );
      }
      print(`migrated ${from} into ${dataDirOf(flags)}: ${told(restored)}\n`);
    } finally {
      source.close();
    }
    return 0;
  },
};

function told({ memberId, clusterId, revision }: RestoredMember): string {
  return `member ${memberId.toString(16)} of cluster ${clusterId.toString(16)}, revision ${revision}`;
}

function bumpOf(flags: Flags): number {
  const bump = flags.integer("bump-revision");
  if (bump < 0n || bump > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new CtlError(`--bump-revision ${bump}: it must be from 0 to 2^53`, Exit.badArgs);
  }
  if (bump > 0n !== flags.isOn("mark-compacted")) {
    throw new CtlError("--mark-compacted required if --bump-revision > 0", Exit.badArgs);
  }
  return Number(bump);
}

function dataDirOf(flags: Flags): string {
  return flags.text("data-dir") || `${flags.text("name")}.etcd`;
}

/** Builds the member in a folder beside --data-dir, which is renamed at the end. */
async function makeMember(
  flags: Flags,
  backup: Parameters<typeof restoreMember>[2],
): Promise<RestoredMember> {
  const dataDir = dataDirOf(flags);
  if (fs.existsSync(dataDir) && fs.readdirSync(dataDir).length > 0) {
    throw new CtlError(`data-dir "${dataDir}" not empty or could not be read`);
  }
  const walDir = flags.text("wal-dir");
  if (walDir !== "" && fs.existsSync(walDir)) throw new CtlError(`wal-dir "${walDir}" exists`);
  const { member } = resolveConfig(
    new Map([
      ...["name", "initial-cluster-token", "initial-advertise-peer-urls"].map(
        (name) => [name, flags.text(name)] as const,
      ),
      ...(flags.wasGiven("initial-cluster")
        ? [["initial-cluster", flags.text("initial-cluster")] as const]
        : []),
    ]),
  );
  const draft = `${path.resolve(dataDir)}.part`;
  fs.rmSync(draft, { recursive: true, force: true });
  const disk = createNodeDisk(draft, (_level, message) => print(`${message}\n`), walDir);
  try {
    const backends = createLmdbBackendStore(path.join(draft, "backends"));
    const world = { disk, backends, rng: nodeRng, hash: nodeHash };
    const restored = await restoreMember(world, member, backup);
    disk.close();
    fs.renameSync(draft, dataDir);
    return restored;
  } catch (error) {
    fs.rmSync(draft, { recursive: true, force: true });
    if (walDir !== "") fs.rmSync(walDir, { recursive: true, force: true });
    throw error;
  }
}

/**
 * The backend of a stopped etcd. A member that was killed while it took a snapshot of the leader has a
 * newer one beside it.
 */
function newestBackend(dataDir: string): string {
  const folder = path.join(dataDir, "member", "snap");
  const own = path.join(folder, "db");
  if (!fs.existsSync(own)) {
    throw new CtlError(`there is no ${own}: --from must be the data directory of an etcd`);
  }
  const received = fs
    .readdirSync(folder)
    .filter((name) => /^[0-9a-f]{16}\.snap\.db$/.test(name))
    .sort()
    .at(-1);
  if (received === undefined) return own;
  const index = Number.parseInt(received.slice(0, 16), 16);
  const source = openFile(own);
  try {
    const isNewer = index > new EtcdBackendFile(source).facts().consistentIndex;
    return isNewer ? path.join(folder, received) : own;
  } finally {
    source.close();
  }
}

function readLog(folder: string, after: number): EtcdLog {
  let names: string[];
  try {
    names = fs.readdirSync(folder).filter(isSegmentName).sort();
  } catch (error) {
    throw new CtlError(`cannot read the log of etcd: ${(error as Error).message}`);
  }
  const segments = function* () {
    for (const name of names) yield { name, bytes: fs.readFileSync(path.join(folder, name)) };
  };
  return readEtcdLog(segments(), after);
}
