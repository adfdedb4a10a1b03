/**
 * A process that is no member and speaks to peer ports all the same: greets as whom it likes, in the
 * protocol of today and in that of builds which asked for no proof, and goes on as if it were welcome.
 */
import net from "node:net";
import { TcpRelay, tapped } from "../../src/cli/stage/relay.js";
import { raftEnvelope } from "../../src/peers/codec.js";
import { encodeGreeting, frameHeader, helloMagic } from "../../src/platform/node/peer/framing.js";
import { encodeMessage } from "../../src/raft/codec/message-codec.js";
import { type MessageFields, makeMessage } from "../../src/raft/message.js";

export interface Claim {
  readonly clusterId: bigint;
  /** Who it says it is. */
  readonly from: bigint;
  readonly to: bigint;
}

/** The hellos of today and of the first version: magic, then three ids. */
export function hellos({ clusterId, from, to }: Claim): readonly Buffer[] {
  const token = Buffer.alloc(16, 7);
  const first = Buffer.alloc(32);
  first.write("LKSTEP1\n", 0, "latin1");
  first.writeBigUInt64LE(clusterId, 8);
  first.writeBigUInt64LE(from, 16);
  first.writeBigUInt64LE(to, 24);
  return [
    encodeGreeting(helloMagic, {
      clusterId,
      from,
      to,
      token,
      nonce: Buffer.alloc(0),
      incarnation: 0n,
    }),
    first,
  ];
}

export function raftFrame(fields: MessageFields): Buffer {
  const message = raftEnvelope(encodeMessage(makeMessage(fields)), undefined);
  return Buffer.concat([frameHeader(message), message]);
}

/** Sends, without waiting for a welcome; resolves when the other side has closed, with its answer. */
export function speak(
  port: number,
  pieces: readonly Buffer[],
  patienceMs = 20_000,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const answer: Buffer[] = [];
    const socket = net.connect(port, "127.0.0.1", () => {
      for (const piece of pieces) socket.write(piece);
    });
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error("the connection was left open"));
    }, patienceMs);
    socket.on("data", (chunk) => answer.push(chunk));
    socket.on("error", () => undefined);
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(Buffer.concat(answer));
    });
  });
}

/** Passes connections on to a port, and keeps what the dialling sides of hellos sent. */
export class Recorder {
  readonly recorded: Buffer[][];
  readonly #relay: TcpRelay;

  private constructor(relay: TcpRelay, recorded: Buffer[][]) {
    this.#relay = relay;
    this.recorded = recorded;
  }

  static async start(targetPort: number): Promise<Recorder> {
    const recorded: Buffer[][] = [];
    const relay = await TcpRelay.start(
      targetPort,
      tapped((onward) => {
        const pieces: Buffer[] = [];
        recorded.push(pieces);
        return (chunk) => {
          pieces.push(chunk);
          onward.write(chunk);
        };
      }),
    );
    return new Recorder(relay, recorded);
  }

  get url(): string {
    return this.#relay.url;
  }

  close(): void {
    this.#relay.close();
  }
}
