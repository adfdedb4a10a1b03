/** etcd's write-ahead log as this reader sees it, sound and damaged. */
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { crc32c } from "../base/crc32c.js";
import { EtcdFileError } from "./file-error.js";
import { type LogSegment, readEtcdLog } from "./log-files.js";

/** Writes segments as etcd does. */
class LogWriter {
  readonly #segments: { readonly name: string; parts: Uint8Array[] }[] = [];
  #crc = 0;

  cut(firstIndex: number): void {
    const hex = (value: number): string => value.toString(16).padStart(16, "0");
    this.#segments.push({
      name: `${hex(this.#segments.length)}-${hex(firstIndex)}.wal`,
      parts: [],
    });
    this.#frame(4, this.#crc, new Uint8Array(0));
  }

  entry(index: number, term: number, text: string): void {
    const data = new TextEncoder().encode(text);
    const entry = new BinaryWriter().uint32(8).int32(0).uint32(16).uint64(term);
    this.#record(2, entry.uint32(24).uint64(index).uint32(34).bytes(data).finish());
  }

  state(commit: number): void {
    this.#record(3, new BinaryWriter().uint32(8).uint64(1).uint32(24).uint64(commit).finish());
  }

  /** The segments, with space behind the last record, as etcd allocates it. */
  segments(): LogSegment[] {
    return this.#segments.map(({ name, parts }) => ({
      name,
      bytes: new Uint8Array(Buffer.concat([...parts, new Uint8Array(2_048)])),
    }));
  }

  #record(type: number, data: Uint8Array): void {
    this.#crc = crc32c(data, this.#crc);
    this.#frame(type, this.#crc, data);
  }

  #frame(type: number, crc: number, data: Uint8Array): void {
    const record = new BinaryWriter().uint32(8).int64(type).uint32(16).uint32(crc);
    if (data.length > 0) record.uint32(26).bytes(data);
    const bytes = record.finish();
    const padding = (8 - (bytes.length % 8)) % 8;
    const frame = new Uint8Array(8 + bytes.length + padding);
    new DataView(frame.buffer).setUint32(0, bytes.length, true);
    if (padding > 0) frame[7] = 0x80 | padding;
    frame.set(bytes, 8);
    this.#segments.at(-1)?.parts.push(frame);
  }
}

function twoSegments(): LogSegment[] {
  const log = new LogWriter();
  log.cut(0);
  for (let index = 1; index <= 5; index++) log.entry(index, 1, `entry ${index}`);
  log.state(3);
  log.cut(6);
  for (let index = 6; index <= 8; index++) log.entry(index, 2, "x".repeat(600) + index);
  log.state(7);
  return log.segments();
}

function textsOf(segments: readonly LogSegment[], after = 0): string[] {
  const { entries } = readEtcdLog(segments, after);
  return entries.map(
    ({ index, term, data }) => `${index}/${term} ${String(Buffer.from(data)).slice(-8)}`,
  );
}

function expectSoundOrRefused(segments: readonly LogSegment[], sound: readonly string[]): void {
  let texts: string[] = [];
  try {
    texts = textsOf(segments);
  } catch (error) {
    expect(error).toBeInstanceOf(EtcdFileError);
  }
  for (const text of texts) expect(sound).toContain(text);
}

/** Where the frames of a segment begin. */
function recordsIn({ bytes }: LogSegment): number[] {
  const offsets: number[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; view.getUint32(at, true) !== 0; ) {
    offsets.push(at);
    at += 8 + view.getUint32(at, true) + ((bytes[at + 7] as number) & 7);
  }
  return offsets;
}

describe("a sound log", () => {
  test("entries behind an index, and what was known to be committed", () => {
    expect(textsOf(twoSegments(), 4)).toEqual([
      "5/1 entry 5",
      "6/2 xxxxxxx6",
      "7/2 xxxxxxx7",
      "8/2 xxxxxxx8",
    ]);
    expect(readEtcdLog(twoSegments(), 8)).toEqual({ entries: [], committed: 7 });
  });

  test("an entry replaces those from its index on", () => {
    const log = new LogWriter();
    log.cut(0);
    for (let index = 1; index <= 5; index++) log.entry(index, 1, `old ${index}`);
    log.entry(3, 2, "new 3");
    expect(textsOf(log.segments())).toEqual(["1/1 old 1", "2/1 old 2", "3/2 new 3"]);
  });

  test("a record that a crash cut off at the end is dropped", () => {
    const [first, last] = twoSegments() as [LogSegment, LogSegment];
    const end = last.bytes.findLastIndex((byte) => byte !== 0);
    const cut = last.bytes.slice(0, end - 60);
    expect(textsOf([first, { ...last, bytes: cut }]).at(-1)).toBe("7/2 xxxxxxx7");
    // One sector of the last entry never reached the disk.
    const torn = last.bytes.slice();
    const from = torn.lastIndexOf("x".charCodeAt(0));
    torn.fill(0, Math.floor(from / 512) * 512, torn.length);
    expect(textsOf([first, { ...last, bytes: torn }]).at(-1)).toBe("7/2 xxxxxxx7");
  });
});

describe("a damaged log", () => {
  test("is refused with file and offset", () => {
    const [first, last] = twoSegments() as [LogSegment, LogSegment];
    const flipped = first.bytes.slice();
    (flipped[60] as number) ^= 1;
    const read =
      (...segments: LogSegment[]) =>
      () =>
        readEtcdLog(segments, 0);
    expect(read({ ...first, bytes: flipped }, last)).toThrow(
      /^0000000000000000-0000000000000000\.wal: the record at byte \d+ .*: the log is damaged$/,
    );
    expect(read(first, { ...last, name: last.name.replace("1-", "2-") })).toThrow(
      /lacks the segment/,
    );
    expect(read(last)).toThrow(/does not continue|begins at entry 6, but the backend ends at 0/);
    const log = new LogWriter();
    log.cut(0);
    log.entry(1, 1, "entry 1");
    log.state(2);
    expect(read(...log.segments())).toThrow(/entry 2 is committed, but ends at 1/);
    expect(read()).toThrow(/has no \.wal file/);
  });

  // The checksum of a record covers its data alone: a record of another type may still fit it.
  test("a record of any other type ends with an error or with entries that were written", () => {
    const sound = textsOf(twoSegments());
    for (const part of [0, 1]) {
      for (const at of recordsIn(twoSegments()[part] as LogSegment)) {
        for (let type = 0; type < 256; type++) {
          const segments = twoSegments();
          (segments[part] as LogSegment).bytes[at + 9] = type;
          expectSoundOrRefused(segments, sound);
        }
      }
    }
  });

  test("random damage ends with an error or with entries that were written", () => {
    const sound = textsOf(twoSegments());
    const flips = fc.array(
      fc.tuple(fc.boolean(), fc.nat(3_000), fc.integer({ min: 1, max: 255 })),
      {
        minLength: 1,
        maxLength: 4,
      },
    );
    fc.assert(
      fc.property(flips, (list) => {
        const segments = twoSegments();
        for (const [isLast, at, bits] of list) {
          const { bytes } = segments[isLast ? 1 : 0] as LogSegment;
          if (at < bytes.length) (bytes[at] as number) ^= bits;
        }
        expectSoundOrRefused(segments, sound);
      }),
      { numRuns: Number(process.env.LOCKSTEP_FUZZ_RUNS ?? 300) },
    );
  });
});
