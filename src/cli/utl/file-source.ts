/** Reads files on this machine for the readers of src/bbolt and src/etcd. */
import fs from "node:fs";
import type { ByteSource } from "../../bbolt/reader.js";
import { EtcdFileError } from "../../etcd/file-error.js";
import { CtlError } from "../ctl/flags.js";

export interface OpenFile extends ByteSource {
  close(): void;
}

/** @throws CtlError that names the file */
export function openFile(path: string): OpenFile {
  let handle: number;
  let size: number;
  try {
    handle = fs.openSync(path, "r");
    const stat = fs.fstatSync(handle);
    if (!stat.isFile()) throw new Error("it is no file");
    size = stat.size;
  } catch (error) {
    throw new CtlError(`cannot read ${path}: ${(error as Error).message}`);
  }
  return {
    size,
    read(at, length) {
      const bytes = new Uint8Array(Math.max(0, Math.min(length, size - at)));
      for (let done = 0; done < bytes.length; ) {
        const count = fs.readSync(handle, bytes, done, bytes.length - done, at + done);
        if (count === 0) throw new EtcdFileError(`${path} became shorter while it was read`);
        done += count;
      }
      return bytes;
    },
    close: () => fs.closeSync(handle),
  };
}
