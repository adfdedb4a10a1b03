/**
 * Clients that follow the WebSocket protocol so far as to cost a server more than themselves. Each
 * attack runs on sockets of its own until the server ends them or its time is over.
 */
import { connect, type Socket } from "node:net";

const attackMs = 3_000;
const text = 1;
const ping = 9;
const more = 0;
const noMask = Buffer.alloc(4);

/** A frame of a client. Its mask is zero, so the payload stays as it is. `length`: what it claims. */
function frame(opcode: number, isLast: boolean, payload: Buffer, length = payload.length): Buffer {
  const isShort = length < 126;
  const head = Buffer.alloc(isShort ? 2 : 10);
  head[0] = opcode | (isLast ? 0x80 : 0);
  head[1] = 0x80 | (isShort ? length : 127);
  if (!isShort) head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, noMask, payload]);
}
const repeated = (bytes: Buffer, times: number): Buffer =>
  Buffer.concat(Array.from({ length: times }, () => bytes));
const blanks = (length: number): Buffer => Buffer.alloc(length, " ");

export interface SocketAttack {
  /** Sent once, then `rest` again and again. */
  readonly first?: Buffer;
  /** Absent: the socket stays silent after `first`. */
  readonly rest?: Buffer;
  readonly sockets: number;
  readonly reads: boolean;
  /** The close code that each socket gets. "cut": none, its bytes are not read. Absent: it may stay. */
  readonly code?: number | "cut";
}

const create = frame(
  text,
  true,
  Buffer.from(`{"create_request":{"key":"YQ==","start_revision":"1"}}`),
);
const half = 2 * 1024 * 1024;

export const socketAttacks: Readonly<Record<string, SocketAttack>> = {
  "a frame that claims a gigabyte": {
    first: frame(text, true, blanks(1_000), 2 ** 30),
    rest: blanks(60_000),
    ...{ sockets: 3, reads: true, code: 1009 },
  },
  "large fragments without end": {
    first: frame(text, false, blanks(10)),
    rest: frame(more, false, blanks(60_000)),
    ...{ sockets: 3, reads: true, code: 1009 },
  },
  "small fragments without end": {
    first: frame(text, false, blanks(1)),
    rest: repeated(frame(more, false, blanks(1)), 1_000),
    ...{ sockets: 3, reads: true, code: 1008 },
  },
  "empty fragments without end": {
    first: frame(text, false, blanks(0)),
    rest: repeated(frame(more, false, blanks(0)), 1_000),
    ...{ sockets: 3, reads: true, code: 1008 },
  },
  "a frame that is none": { first: Buffer.alloc(1_000, 0xff), sockets: 3, reads: true, code: 1002 },
  "pings, the pongs read": {
    rest: repeated(frame(ping, true, blanks(125)), 200),
    sockets: 3,
    reads: true,
  },
  "pings, no pong read": {
    rest: repeated(frame(ping, true, blanks(125)), 200),
    sockets: 3,
    reads: false,
    code: "cut",
  },
  "requests of a watch, no answer read": { rest: repeated(create, 500), sockets: 3, reads: false },
  "progress requests, no answer read": {
    first: create,
    rest: repeated(frame(text, true, Buffer.from(`{"progress_request":{}}`)), 500),
    ...{ sockets: 3, reads: false },
  },
  "many sockets, each with half a message": {
    first: frame(text, true, blanks(half), half + 1_000),
    ...{ sockets: 300, reads: true },
  },
  "many sockets, each with half an object": {
    first: frame(text, true, Buffer.concat([Buffer.from("{"), blanks(half)])),
    ...{ sockets: 300, reads: true },
  },
  "many sockets that are silent": { sockets: 1_000, reads: true },
};

export interface SocketEnd {
  readonly isOver: boolean;
  /** Of the server's close frame. */
  readonly code: number | undefined;
}

/** Runs an attack; resolves when all sockets are over, or after its time. */
export async function attackSockets(
  port: number,
  { first, rest, sockets, reads }: SocketAttack,
): Promise<SocketEnd[]> {
  const all = await Promise.all(Array.from({ length: sockets }, () => new Attacker(port).open()));
  const ends = all.map((attacker) => attacker.run(first, rest, reads));
  const over = new AbortController();
  const time = setTimeout(() => over.abort(), attackMs);
  await Promise.race([
    Promise.all(ends),
    new Promise((resolve) => over.signal.addEventListener("abort", resolve)),
  ]);
  clearTimeout(time);
  return all.map((attacker) => attacker.end());
}

class Attacker {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #isOver = false;
  #onEnd = (): void => {};

  constructor(port: number) {
    this.#socket = connect(port, "127.0.0.1");
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => {
      this.#isOver = true;
    });
  }

  /** Resolves when the server has taken the socket for a watch. */
  open(): Promise<this> {
    const heads = ["Host: x", "Upgrade: websocket", "Connection: Upgrade"];
    heads.push("Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==");
    this.#socket.write(`GET /v3/watch HTTP/1.1\r\n${heads.join("\r\n")}\r\n\r\n`);
    return new Promise((resolve, reject) => {
      this.#socket.once("error", reject);
      this.#socket.once("data", () => resolve(this));
    });
  }

  /** Resolves when the server has ended the socket. */
  run(first: Buffer | undefined, rest: Buffer | undefined, reads: boolean): Promise<void> {
    const socket = this.#socket;
    if (reads) socket.on("data", (bytes) => this.#keep(bytes));
    else socket.pause();
    const send = (): void => {
      if (rest === undefined || this.#isOver) return;
      socket.write(rest, () => setImmediate(send));
    };
    if (first === undefined) send();
    else socket.write(first, send);
    return new Promise((resolve) => {
      this.#onEnd = resolve;
      socket.once("close", resolve);
    });
  }

  end(): SocketEnd {
    const end = { isOver: this.#isOver, code: closeCode(this.#received) };
    this.#socket.destroy();
    return end;
  }

  /** The last bytes: a close frame is the last that comes. */
  #keep(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes]).subarray(-200);
    if (closeCode(this.#received) !== undefined) this.#onEnd();
  }
}

/** Of a close frame with no more than a code, at the end of what came. */
function closeCode(bytes: Buffer): number | undefined {
  const at = bytes.length - 4;
  return at >= 0 && bytes[at] === 0x88 && bytes[at + 1] === 2
    ? bytes.readUInt16BE(at + 2)
    : undefined;
}
