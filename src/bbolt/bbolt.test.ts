/** Files that the writer makes, as the reader sees them; and what the reader does with damaged ones. */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareBytes } from "../base/bytes.js";
import { type Buckets, bytesOf, fileOf, sourceOf } from "./file.fixture.js";
import { fnv64a } from "./fnv64a.js";
import { BboltError, elementBytes, pageHeadBytes, viewOf, writeMetaPage } from "./format.js";
import { pageBytes } from "./layout.js";
import { openBbolt, type Row } from "./reader.js";
import { joinPages } from "./writer.js";

interface Told {
  readonly name: string;
  readonly count: number;
  /** A hash over all rows. */
  readonly rows: string;
}

function told(name: string, rows: Iterable<Row>): Told {
  const hash = createHash("sha1");
  let count = 0;
  for (const { key, value } of rows) {
    count++;
    hash.update(`${key.length} ${value.length} `).update(key).update(value);
  }
  return { name, count, rows: hash.digest("hex") };
}

function toldOf(buckets: Buckets): Told[] {
  return buckets.map(({ name, rows }) => told(name, rows));
}

function readAll(bytes: Uint8Array): Told[] {
  const walk = openBbolt(sourceOf(bytes)).walk();
  const textOf = (name: Uint8Array): string => new TextDecoder().decode(name);
  return [...walk.buckets()].map((bucket) => told(textOf(bucket.name), walk.rows(bucket)));
}

function numbered(count: number, valueBytes = 20): Row[] {
  return Array.from({ length: count }, (_, place) => {
    const key = new Uint8Array(17);
    viewOf(key).setUint32(4, place);
    return { key, value: new Uint8Array(valueBytes).fill(place) };
  });
}

/** The rows that a check of the whole file visits, or the text of its error. */
function checked(bytes: Uint8Array): number | string {
  let rows = 0;
  try {
    openBbolt(sourceOf(bytes))
      .walk()
      .checkAll(() => rows++);
    return rows;
  } catch (error) {
    if (!(error instanceof BboltError)) throw error;
    return error.message;
  }
}

test("FNV-1a of published examples", () => {
  expect(fnv64a(bytesOf(""))).toBe(0xcbf29ce484222325n);
  expect(fnv64a(bytesOf("foobar"))).toBe(0x85944171f73967e8n);
});

describe("what was written is read", () => {
  test.each([0, 1, 2, 60, 5_000, 30_000])("%d rows", (count) => {
    const buckets = [
      { name: "empty", rows: [] },
      { name: "key", rows: numbered(count) },
    ];
    const bytes = fileOf(buckets);
    expect(bytes.length % pageBytes).toBe(0);
    expect(readAll(bytes)).toEqual(toldOf(buckets));
    expect(checked(bytes)).toBe(count);
  });

  test.each([
    [100, 1.1],
    [1_500, 1.4],
    [2_500, 1.25],
    [4_096, 1.35],
    [6_000, 1.35],
    [40_000, 1.05],
  ])("rows of %d bytes take at most %d times their length", (size, times) => {
    const rows = numbered(500, size);
    const bytes = fileOf([{ name: "key", rows }]);
    expect(checked(bytes)).toBe(500);
    const own = rows.length * (size + 17 + elementBytes);
    // The first pages, the last one and a few branches.
    expect(bytes.length).toBeLessThan(own * times + 16 * pageBytes);
  });

  test("rows of any size", () => {
    const row = fc.record({
      key: fc.uint8Array({ minLength: 1, maxLength: 3_000 }),
      value: fc.nat(20_000).map((size) => new Uint8Array(size).fill(size)),
    });
    const rows = fc.uniqueArray(row, { maxLength: 60, selector: ({ key }) => key.toString() });
    fc.assert(
      fc.property(rows, (list) => {
        const sorted = [...list].sort((a, b) => compareBytes(a.key, b.key));
        const buckets = [{ name: "b", rows: sorted }];
        expect(readAll(fileOf(buckets))).toEqual(toldOf(buckets));
      }),
      { numRuns: 40 },
    );
  });

  test("every branch has two children, also the last", () => {
    // Keys that let a branch hold 3 children make every shape of the last branches.
    for (let count = 1; count <= 40; count++) {
      const rows = numbered(count, 3_000).map(({ key, value }) => {
        const long = new Uint8Array(1_200);
        long.set(key);
        return { key: long, value };
      });
      const bytes = fileOf([{ name: "b", rows }]);
      expect(checked(bytes)).toBe(count);
      for (let at = 0; at < bytes.length; at += pageBytes) {
        const view = viewOf(bytes);
        if (view.getUint32(at, true) * pageBytes !== at || view.getUint16(at + 8, true) !== 1)
          continue;
        expect(view.getUint16(at + 10, true)).toBeGreaterThanOrEqual(2);
      }
    }
  });
});

test("pages joined share memory if they follow each other there; the bytes are the same anyway", () => {
  const memory = Uint8Array.from({ length: 6 * pageBytes }, (_, at) => at / pageBytes);
  const page = (place: number, count = 1): Uint8Array =>
    memory.subarray(place * pageBytes, (place + count) * pageBytes);
  for (const pages of [[page(2)], [page(1, 2), page(3)]]) {
    const joined = joinPages(pages);
    expect(joined).toEqual(new Uint8Array(Buffer.concat(pages)));
    expect(joined.buffer).toBe(memory.buffer);
  }
  for (const pages of [
    [page(1), page(0)],
    [page(1), page(3)],
    [page(1), page(2).slice()],
  ]) {
    expect(Buffer.compare(joinPages(pages), Buffer.concat(pages))).toBe(0);
  }
});

describe("damage", () => {
  const buckets = [
    { name: "key", rows: [...numbered(400, 300)] },
    { name: "large", rows: [{ key: bytesOf("k"), value: new Uint8Array(100_000) }] },
    { name: "none", rows: [] },
  ];
  const sound = fileOf(buckets);

  test("the second meta page serves when the first is damaged, at any page size", () => {
    const bytes = sound.slice();
    bytes[30] = 1;
    expect(readAll(bytes)).toEqual(toldOf(buckets));
    bytes[pageBytes + 30] = 1;
    expect(checked(bytes)).toMatch(
      "this is no bbolt file, or its first pages are damaged: its checksum",
    );
  });

  test.each([
    ["nothing", new Uint8Array(0), "it is too short"],
    ["a text", bytesOf("x".repeat(5_000)), "it has another magic number"],
    ["half of it", sound.subarray(0, sound.length / 2), "the file was cut: it has"],
  ])("%s is refused", (_name, bytes, text) => {
    expect(checked(bytes)).toMatch(text);
  });

  test("a tree with a loop, a page out of range and an endless claim are named", () => {
    const meta = openBbolt(sourceOf(sound)).meta;
    const root = meta.root * pageBytes;
    const bucketRoot =
      root + viewOf(sound).getUint32(root + pageHeadBytes + 4, true) + pageHeadBytes + 3;
    const withRoot = (page: number): Uint8Array => {
      const bytes = sound.slice();
      viewOf(bytes).setBigUint64(bucketRoot, BigInt(page), true);
      return bytes;
    };
    expect(checked(withRoot(meta.root))).toMatch(`page ${meta.root} (bucket "key") is used twice`);
    expect(checked(withRoot(1e9))).toMatch('bucket "key" names page 1000000000, but the file has');
    expect(checked(withRoot(1))).toMatch("names page 1");
    expect(checked(withRoot(3))).toMatch("is neither in use nor free");
    const claims = sound.slice();
    viewOf(claims).setUint32(3 * pageBytes + 12, 0xffff_ffff, true);
    expect(checked(claims)).toMatch('page 3 (bucket "key") claims 4294967296 pages');
    const free = sound.slice();
    viewOf(free).setUint16(2 * pageBytes + 10, 1, true);
    viewOf(free).setBigUint64(2 * pageBytes + 16, 3n, true);
    expect(checked(free)).toMatch("free page 3 is used twice");
  });

  test("a meta record that names more pages than any memory holds is refused", () => {
    const bytes = sound.slice();
    const meta = openBbolt(sourceOf(sound)).meta;
    const huge = { ...meta, highWater: 2 ** 48, transaction: 9n };
    writeMetaPage(bytes.subarray(0, pageBytes), 0, huge);
    expect(checked(bytes)).toMatch("the file was cut");
  });

  test("random damage never makes the reader hang, or read more than the file has", () => {
    const runs = Number(process.env.LOCKSTEP_FUZZ_RUNS ?? 400);
    const flips = fc.array(fc.tuple(fc.nat(sound.length - 1), fc.integer({ min: 1, max: 255 })), {
      minLength: 1,
      maxLength: 6,
    });
    // Most of a file is values; heads and elements are where damage matters.
    const inHeads = fc.array(
      fc.tuple(
        fc
          .tuple(fc.nat(sound.length / pageBytes - 1), fc.nat(63))
          .map(([page, at]) => page * pageBytes + at),
        fc.integer({ min: 1, max: 255 }),
      ),
      { minLength: 1, maxLength: 3 },
    );
    fc.assert(
      fc.property(fc.oneof(flips, inHeads), (list) => {
        const bytes = sound.slice();
        for (const [at, bits] of list) (bytes[at] as number) ^= bits;
        const source = sourceOf(bytes);
        let rows = 0;
        try {
          openBbolt(source)
            .walk()
            .checkAll(() => rows++);
        } catch (error) {
          expect(error).toBeInstanceOf(BboltError);
        }
        expect(rows).toBeLessThanOrEqual(60_000);
        expect(source.largest).toBeLessThanOrEqual(sound.length);
      }),
      { numRuns: runs },
    );
  });
});
