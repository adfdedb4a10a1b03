/**
 * Checks an LMDB data file before LMDB maps it: whether it is one, and whether it is long enough.
 * LMDB itself reads a missing page through the map, which kills the process.
 *
 * Layout (lmdb 3.5's data version 2, little-endian): two meta pages, at 0 and at the page size.
 * Each has a 24-byte page header (flags at 18) and then magic, version, address, map size, two
 * database records of 48 bytes (the first begins with the page size), last page number, transaction
 * id.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
} from "node:fs";
import { DamageError } from "../../../base/errors.js";

const metaMagic = 0xbeefc0de;
const mainRootAt = 136;
const metaFlag = 0x08;
const metaBytes = 168;
const at = { flags: 18, magic: 24, version: 28, pageSize: 48, lastPage: 144, txnId: 152 } as const;
const dataVersion = 2;

/**
 * Checks the file at `path`. "absent" also stands for an empty file: the process died while
 * creating it. "short": the file ended before its last page and is now extended with zeros. Either
 * the missing pages are free ones, which LMDB need not have written, or the file was cut. @throws
 * DamageError if this is no LMDB file of the known version
 */
export function checkDataFile(path: string): "absent" | "whole" | "short" {
  if (!existsSync(path)) return "absent";
  const file = openSync(path, "r+");
  try {
    const { size } = fstatSync(file);
    if (size === 0) return "absent";
    const pageSize = readMeta(file, path, 0).getUint32(at.pageSize, true);
    const metas = [readMeta(file, path, 0), readMeta(file, path, pageSize)];
    const pages = metas.map((meta) => Number(meta.getBigUint64(at.lastPage, true)) + 1);
    const needed = Math.max(...pages) * pageSize;
    if (needed > size) {
      if (needed > size * 2 + slackBytes)
        throw damage(path, `it ends at byte ${size} of ${needed}`);
      ftruncateSync(file, needed);
      fsyncSync(file);
      return "short";
    }
    return "whole";
  } finally {
    closeSync(file);
  }
}

/**
 * The page of the newest state that holds the names of its databases. `checkDataFile` must have
 * accepted the file. Undefined: there is no such page (yet).
 */
export function readMainPage(path: string): Buffer | undefined {
  const file = openSync(path, "r");
  try {
    const pageSize = readMeta(file, path, 0).getUint32(at.pageSize, true);
    const metas = [readMeta(file, path, 0), readMeta(file, path, pageSize)];
    const [older, newer] = metas.map((meta) => meta.getBigUint64(at.txnId, true));
    const meta = ((newer as bigint) > (older as bigint) ? metas[1] : metas[0]) as DataView;
    const root = meta.getBigUint64(mainRootAt, true);
    if (root > meta.getBigUint64(at.lastPage, true)) return undefined;
    const page = Buffer.alloc(pageSize);
    return readSync(file, page, 0, pageSize, Number(root) * pageSize) === pageSize
      ? page
      : undefined;
  } finally {
    closeSync(file);
  }
}

/** How many free pages at the end are plausible: at most this many bytes and half of the file. */
const slackBytes = 16 * 1024 * 1024;

function readMeta(file: number, path: string, position: number): DataView {
  const bytes = new Uint8Array(metaBytes);
  if (readSync(file, bytes, 0, metaBytes, position) !== metaBytes) {
    throw damage(path, `it ends inside the header at byte ${position}`);
  }
  const meta = new DataView(bytes.buffer);
  const isMeta = (meta.getUint16(at.flags, true) & metaFlag) !== 0;
  if (!isMeta || meta.getUint32(at.magic, true) !== metaMagic) {
    throw damage(path, `no LMDB header at byte ${position}`);
  }
  const version = meta.getUint32(at.version, true) & 0xffff;
  if (version !== dataVersion) throw damage(path, `LMDB data version ${version} is not known`);
  const pageSize = meta.getUint32(at.pageSize, true);
  if (pageSize < 512 || pageSize > 65536 || (pageSize & (pageSize - 1)) !== 0) {
    throw damage(path, `page size ${pageSize} in the header at byte ${position}`);
  }
  return meta;
}

export function damage(path: string, what: string): DamageError {
  return new DamageError({
    where: `backend file ${path}`,
    finding: `damaged or foreign: ${what}`,
    advice:
      "Move it away and rebuild this member from a snapshot or from its peers; do not repair the file by hand.",
  });
}
