import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FieldList, HpackDecoder } from "./decoder.js";
import { huffmanEncode, integer, literal, string } from "./hpack.fixture.js";
import { huffmanDecode } from "./huffman.js";

type Fields = readonly (readonly [string, string])[];

function decode(decoder: HpackDecoder, hex: string | Buffer, bytesMax = 65_536): Fields {
  const block = typeof hex === "string" ? Buffer.from(hex, "hex") : hex;
  const list = new FieldList(bytesMax);
  decoder.decode(block, 0, block.length, list);
  return list.names.map((name, at) => [name, list.values[at] as string] as const);
}

const example: Fields = [
  [":method", "GET"],
  [":scheme", "http"],
  [":path", "/"],
  [":authority", "www.example.com"],
];
const custom: Fields = [
  [":method", "GET"],
  [":scheme", "https"],
  [":path", "/index.html"],
  [":authority", "www.example.com"],
  ["custom-key", "custom-value"],
];
const answer = (status: string, date: string): Fields => [
  [":status", status],
  ["cache-control", "private"],
  ["date", date],
  ["location", "https://www.example.com"],
];
const early = "Mon, 21 Oct 2013 20:13:21 GMT";
const cookie: Fields = [
  ...answer("200", "Mon, 21 Oct 2013 20:13:22 GMT"),
  ["content-encoding", "gzip"],
  ["set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"],
];

describe("the examples of RFC 7541, appendix C", () => {
  test.each([
    [
      "C.2.1",
      "400a637573746f6d2d6b65790d637573746f6d2d686561646572",
      "custom-key",
      "custom-header",
    ],
    ["C.2.2", "040c2f73616d706c652f70617468", ":path", "/sample/path"],
    ["C.2.3", "100870617373776f726406736563726574", "password", "secret"],
    ["C.2.4", "82", ":method", "GET"],
  ])("%s", (_name, hex, name, value) => {
    expect(decode(new HpackDecoder(4_096), hex)).toEqual([[name, value]]);
  });

  test.each([
    [
      "C.3",
      [
        "828684410f7777772e6578616d706c652e636f6d",
        "828684be58086e6f2d6361636865",
        "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
      ],
    ],
    [
      "C.4",
      [
        "828684418cf1e3c2e5f23a6ba0ab90f4ff",
        "828684be5886a8eb10649cbf",
        "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
      ],
    ],
  ])("%s: requests, without and with Huffman code", (_name, blocks) => {
    const decoder = new HpackDecoder(4_096);
    expect(blocks.map((block) => decode(decoder, block))).toEqual([
      example,
      [...example, ["cache-control", "no-cache"]],
      custom,
    ]);
  });

  test.each([
    [
      "C.5",
      [
        "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d",
        "4803333037c1c0bf",
        "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
      ],
    ],
    [
      "C.6",
      [
        "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
        "4883640effc1c0bf",
        "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
      ],
    ],
  ])("%s: answers, with evictions from a table of 256", (_name, blocks) => {
    const decoder = new HpackDecoder(256);
    expect(blocks.map((block) => decode(decoder, block))).toEqual([
      answer("302", early),
      answer("307", early),
      cookie,
    ]);
  });
});

describe("a block that breaks a rule is refused", () => {
  test.each([
    ["index 0", "80"],
    ["an index beyond the table", "be"],
    ["a name's index beyond the table", "7e0161"],
    ["an integer without its end", "ff"],
    ["an integer that never ends", "ffffffffffffffff"],
    ["an integer beyond 32 bits", "ff8080808001"],
    ["a name without its end", "400a6162"],
    ["a value without its end", "400161"],
    ["a table size above the limit", "3fe21f"],
    ["a table size behind a field", "8220"],
    ["Huffman: padding of more than 7 bits", "00819c81ff"],
    ["Huffman: padding that is not all ones", "00819c8118"],
    ["Huffman: the end of string as a symbol", "00819c84ffffffff"],
  ])("%s", (_name, hex) => {
    expect(() => decode(new HpackDecoder(4_096), hex)).toThrow(/header block/);
  });
});

test("table sizes at the beginning of a block are taken, also two of them", () => {
  const decoder = new HpackDecoder(4_096);
  decode(decoder, literal("a", "b", { isAdded: true }));
  expect(decode(decoder, "be")).toEqual([["a", "b"]]);
  decode(decoder, Buffer.concat([integer(0x20, 5, 0), integer(0x20, 5, 4_096)]));
  expect(() => decode(decoder, "be")).toThrow(/beyond the table/);
});

test("an entry larger than the table empties it and is no error", () => {
  const decoder = new HpackDecoder(64);
  decode(decoder, literal("a", "b", { isAdded: true }));
  expect(decode(decoder, literal("x".repeat(40), "", { isAdded: true }))).toHaveLength(1);
  expect(() => decode(decoder, "be")).toThrow(/beyond the table/);
});

test("a small block that means a huge list does not make one", () => {
  const decoder = new HpackDecoder(4_096);
  decode(decoder, literal("bomb", "x".repeat(3_900), { isAdded: true }));
  const block = Buffer.alloc(60_000, 0xbe);
  const list = new FieldList(65_536);
  decoder.decode(block, 0, block.length, list);
  expect(list.isTooLarge).toBe(true);
  expect(list.names.length).toBeLessThan(20);
  expect(list.bytes).toBe(60_000 * (4 + 3_900 + 32));
});

test("every string survives its Huffman code", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const coded = huffmanEncode(Buffer.from(bytes));
      expect(huffmanDecode(coded, 0, coded.length)).toBe(Buffer.from(bytes).toString("latin1"));
    }),
  );
});

test("any bytes decode or are refused, and never anything else happens", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 5 }), (blocks) => {
      const decoder = new HpackDecoder(4_096);
      try {
        for (const block of blocks) decode(decoder, Buffer.from(block));
      } catch (error) {
        expect(error).toMatchObject({ name: "ConnectionError", code: 9 });
      }
    }),
    { numRuns: 2_000 },
  );
});

test("whatever a client puts into the table is found there, evictions included", () => {
  const field = fc.tuple(fc.stringMatching(/^[a-z]{1,9}$/), fc.string({ maxLength: 40 }));
  fc.assert(
    fc.property(
      fc.array(field, { maxLength: 60 }),
      fc.integer({ min: 0, max: 400 }),
      (all, max) => {
        const decoder = new HpackDecoder(max);
        let table: [string, string][] = [];
        for (const [name, text] of all) {
          const value = Buffer.from(text).toString("latin1");
          const written = literal(name, value, {
            isAdded: true,
            isHuffman: value.length % 2 === 0,
          });
          expect(decode(decoder, written)).toEqual([[name, value]]);
          table.unshift([name, value]);
          let bytes = 0;
          table = table.filter(([n, v]) => {
            bytes += n.length + v.length + 32;
            return bytes <= max;
          });
          if (table.length === 0) continue;
          const blocks = table.map((_entry, place) => integer(0x80, 7, 62 + place));
          expect(decode(decoder, Buffer.concat(blocks))).toEqual(table);
          const beyond = integer(0x80, 7, 62 + table.length);
          expect(() => decode(decoder, beyond)).toThrow(/beyond/);
        }
        expect(string("a")).toEqual(Buffer.from("\x01a"));
      },
    ),
    { numRuns: 50 },
  );
});
