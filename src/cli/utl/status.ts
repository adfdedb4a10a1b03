/** The commands snapshot status and hashkv: what a backup contains, and a hash to compare it by. */
import { crc32c } from "../../base/crc32c.js";
import { EtcdBackendFile } from "../../etcd/backend-file.js";
import { hashOfFile } from "../../etcd/file-hash.js";
import { textOf } from "../../etcd/schema.js";
import { decodeRevision } from "../../state/mvcc/revision-key.js";
import { decodeKeyValue } from "../../wire/key-value.js";
import { print } from "../ctl/context.js";
import { CtlError, Exit } from "../ctl/flags.js";
import { table } from "../ctl/print-table.js";
import type { UtlCommand } from "./command.js";
import { openFile } from "./file-source.js";

type Field = readonly [heading: string, json: string, field: string, value: number | string];

export const snapshotStatus: UtlCommand = {
  usage: "snapshot status <file>",
  flags: {},
  async run({ args, format }) {
    const { source, backend } = open(args, "snapshot status");
    try {
      const { storageVersion } = backend.facts();
      let hash = 0;
      let revision = 0;
      const live = new Set<string>();
      let isKeys = false;
      const enter = (bucket: Uint8Array): void => {
        hash = crc32c(bucket, hash);
        isKeys = textOf(bucket) === "key";
      };
      backend.file.walk().checkAll(({ key, value }) => {
        hash = crc32c(value, crc32c(key, hash));
        if (!isKeys) return;
        const row = decodeRevision(key);
        revision = row.main;
        const text = Buffer.from(decodeKeyValue(value).key).toString("latin1");
        if (row.isTombstone) live.delete(text);
        else live.add(text);
      }, enter);
      const size = backend.file.sizeBytes;
      show(format, [
        [
          "hash",
          "hash",
          "Hash",
          format === "simple" || format === "table" ? hash.toString(16) : hash,
        ],
        ["revision", "revision", "Revision", revision],
        ["total keys", "totalKey", "Keys", live.size],
        [
          "total size",
          "totalSize",
          "Size",
          format === "simple" || format === "table" ? humanSize(size) : size,
        ],
        ["version", "version", "Version", storageVersion],
      ]);
    } finally {
      source.close();
    }
    return 0;
  },
};

export const hashKv: UtlCommand = {
  usage: "hashkv <file> [--rev N]",
  flags: { rev: "0" },
  async run({ args, flags, format }) {
    const { source, backend } = open(args, "hashkv");
    try {
      const { hash, hashRevision, compactRevision } = hashOfFile(
        backend,
        Number(flags.integer("rev")),
      );
      show(format, [
        ["hash", "hash", "Hash", hash],
        ["hash revision", "hashRevision", "Hash revision", hashRevision],
        ["compact revision", "compactRevision", "Compact revision", compactRevision],
      ]);
    } finally {
      source.close();
    }
    return 0;
  },
};

function open(args: readonly string[], command: string) {
  const [file, ...more] = args;
  if (file === undefined || more.length > 0) {
    throw new CtlError(`${command} requires exactly one argument`, Exit.badArgs);
  }
  const source = openFile(file);
  try {
    return { source, backend: new EtcdBackendFile(source) };
  } catch (error) {
    source.close();
    throw error;
  }
}

function show(format: string, fields: readonly Field[]): void {
  const values = fields.map(([, , , value]) => String(value));
  if (format === "json") {
    print(
      `${JSON.stringify(Object.fromEntries(fields.map(([, json, , value]) => [json, value])))}\n`,
    );
  } else if (format === "fields") {
    print(fields.map(([, , field, value]) => `"${field}" : ${value}\n`).join(""));
  } else if (format === "table") {
    const headings = fields.map(([heading]) => heading.toUpperCase());
    print(table(headings, [values]));
  } else print(`${values.join(", ")}\n`);
}

/** A size with two digits below 10, as "5.4 MB". Units are powers of 1,000. */
function humanSize(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let size = bytes;
  let unit = 0;
  for (; size >= 1_000 && unit < units.length - 1; unit++) size /= 1_000;
  return `${unit > 0 && size < 10 ? size.toFixed(1) : Math.round(size)} ${units[unit]}`;
}
