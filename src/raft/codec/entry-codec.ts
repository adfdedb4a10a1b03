/**
 * One log entry as bytes: term, index (varints), type (byte), data length (varint), data. The
 * layout is part of the peer protocol (docs/formats.md). It contains its own length, so entries can
 * follow each other.
 */

import { type Entry, EntryType } from "../types.js";
import { type ByteReader, MessageFormatError } from "./byte-reader.js";
import { type ByteWriter, varintBytesMax } from "./byte-writer.js";

/** The fewest bytes of an entry: term, index and length of one byte each, and the type. */
export const entryBytesMin = 4;

export function entryBytesBound(entry: Entry): number {
  return 3 * varintBytesMax + 1 + entry.data.length;
}

export function writeEntry(writer: ByteWriter, entry: Entry): void {
  writer.varint(entry.term);
  writer.varint(entry.index);
  writer.byte(entry.type);
  writer.varint(entry.data.length);
  writer.bytes(entry.data);
}

/** Reads an entry. Its data is a view of the reader's bytes. @throws MessageFormatError */
export function readEntry(reader: ByteReader): Entry {
  const term = reader.varint();
  const index = reader.varint();
  const type = entryTypeOf(reader.byte());
  return { term, index, type, data: reader.bytes(reader.varint()) };
}

function entryTypeOf(value: number): EntryType {
  for (const type of Object.values(EntryType)) if (type === value) return type;
  throw new MessageFormatError(`unknown entry type ${value}`);
}
