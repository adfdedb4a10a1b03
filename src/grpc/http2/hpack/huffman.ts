/**
 * The Huffman code of RFC 7541, appendix B. It is canonical: the symbols of each length, in order,
 * have consecutive codes, so lengths and order are all that has to be written down.
 */

const eos = 256;

/** Symbols by the length of their code. The last one of 30 bits is the end of string. */
const symbolsByLength: readonly (readonly [bits: number, symbols: string])[] = [
  [5, "48-50 97 99 101 105 111 115-116"],
  [6, "32 37 45-47 51-57 61 65 95 98 100 102-104 108-110 112 114 117"],
  [7, "58 66-87 89 106-107 113 118-122"],
  [8, "38 42 44 59 88 90"],
  [10, "33-34 40-41 63"],
  [11, "39 43 124"],
  [12, "35 62"],
  [13, "0 36 64 91 93 126"],
  [14, "94 125"],
  [15, "60 96 123"],
  [19, "92 195 208"],
  [20, "128 130-131 162 184 194 224 226"],
  [21, "153 161 167 172 176-177 179 209 216-217 227 229-230"],
  [
    22,
    "129 132-134 136 146 154 156 160 163-164 169-170 173 178 181 185-187 189-190 196 198 228 232-233",
  ],
  [
    23,
    "1 135 137-141 143 147 149-152 155 157-158 165-166 168 174-175 180 182-183 188 191 197 231 239",
  ],
  [24, "9 142 144-145 148 159 171 206 215 225 236-237"],
  [25, "199 207 234-235"],
  [26, "192-193 200-202 205 210 213 218-219 238 240 242-243 255"],
  [27, "203-204 211-212 214 221-223 241 244-248 250-254"],
  [28, "2-8 11-12 14-21 23-31 127 220 249"],
  [30, "10 13 22 256"],
];

/**
 * `symbol`: an octet, or 256 for the end. `code`: its lowest `bits` bits, the first bit highest.
 */
export interface HuffmanCode {
  readonly symbol: number;
  readonly code: number;
  readonly bits: number;
}

/** All 257 codes of RFC 7541, appendix B, from the shortest to the longest. */
export const huffmanCodes: readonly HuffmanCode[] = assignCodes();

function assignCodes(): HuffmanCode[] {
  const codes: HuffmanCode[] = [];
  let next = 0;
  let lastBits = 0;
  for (const [bits, ranges] of symbolsByLength) {
    next <<= bits - lastBits;
    lastBits = bits;
    for (const range of ranges.split(" ")) {
      const [from, to = from] = range.split("-").map(Number) as [number, number?];
      for (let symbol = from; symbol <= to; symbol++) codes.push({ symbol, code: next++, bits });
    }
  }
  return codes;
}

/*
 * Decoding goes by four bits at a time. A state is an inner node of the code's tree; no code is
 * shorter than five bits, so a step gives at most one symbol. A step is one number:
 * bits 0 to 8 the next state, 9 to 16 the symbol, 17 whether there is one, 18 whether it is an error.
 */
const stepHasSymbol = 1 << 17;
const stepFails = 1 << 18;
const stateMask = 0x1ff;

const steps = new Int32Array(256 * 16);
/** Whether a string may end in this state: in at most 7 bits of padding, all ones (section 5.2). */
const mayEnd = new Uint8Array(256);
buildSteps();

function buildSteps(): void {
  const children: [number, number][] = [[-1, -1]];
  const symbols = new Map<number, number>();
  for (const { symbol, code, bits } of huffmanCodes) {
    let node = 0;
    for (let bit = bits - 1; bit >= 0; bit--) {
      const side = (code >> bit) & 1;
      const pair = children[node] as [number, number];
      if (pair[side] === -1) {
        pair[side] = children.length;
        children.push([-1, -1]);
      }
      node = pair[side] as number;
    }
    symbols.set(node, symbol);
  }
  const inner = [...children.keys()].filter((node) => !symbols.has(node));
  const stateOf = new Map(inner.map((node, state) => [node, state]));
  for (const [state, node] of inner.entries()) {
    for (let nibble = 0; nibble < 16; nibble++) {
      steps[state * 16 + nibble] = stepFrom(node, nibble, children, symbols, stateOf);
    }
  }
  for (let node = 0, depth = 0; depth < 8; depth++) {
    mayEnd[stateOf.get(node) as number] = 1;
    node = children[node]?.[1] as number;
  }
}

function stepFrom(
  from: number,
  nibble: number,
  children: readonly (readonly [number, number])[],
  symbols: ReadonlyMap<number, number>,
  stateOf: ReadonlyMap<number, number>,
): number {
  let node = from;
  let step = 0;
  for (let bit = 3; bit >= 0; bit--) {
    node = children[node]?.[(nibble >> bit) & 1] as number;
    const symbol = symbols.get(node);
    if (symbol === undefined) continue;
    if (symbol === eos) return stepFails;
    step = stepHasSymbol | (symbol << 9);
    node = 0;
  }
  return step | (stateOf.get(node) as number);
}

let scratch = Buffer.allocUnsafe(4_096);

/** The string in `bytes` from `start` to `end`, one character per octet; undefined: not valid. */
export function huffmanDecode(bytes: Uint8Array, start: number, end: number): string | undefined {
  // Eight bits hold less than two symbols.
  if (scratch.length < 2 * (end - start)) scratch = Buffer.allocUnsafe(2 * (end - start));
  let state = 0;
  let length = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    let step = steps[state * 16 + (byte >> 4)] as number;
    if (step & stepHasSymbol) scratch[length++] = step >> 9;
    if (step & stepFails) return undefined;
    step = steps[(step & stateMask) * 16 + (byte & 15)] as number;
    if (step & stepHasSymbol) scratch[length++] = step >> 9;
    if (step & stepFails) return undefined;
    state = step & stateMask;
  }
  return mayEnd[state] === 1 ? scratch.toString("latin1", 0, length) : undefined;
}
