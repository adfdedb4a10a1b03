/**
 * Bare gRPC calls over node:http2. Counts the bytes of an answer and decodes nothing, so that the
 * client costs little beside the server that is measured.
 */
import { type ClientHttp2Session, connect } from "node:http2";

const windowBytes = 64 * 1024 * 1024;

export interface BareAnswer {
  readonly bytes: number;
  /** grpc-status, "0" if all went well. */
  readonly status: string;
  readonly message: string;
}

export class BareClient {
  readonly #session: ClientHttp2Session;

  private constructor(session: ClientHttp2Session) {
    this.#session = session;
  }

  static open(endpoint: string): Promise<BareClient> {
    const settings = { initialWindowSize: windowBytes };
    const session = connect(`http://${endpoint}`, { settings });
    return new Promise((resolve, reject) => {
      session.once("error", reject);
      session.once("connect", () => {
        session.setLocalWindowSize(windowBytes);
        resolve(new BareClient(session));
      });
    });
  }

  /** `path` as "/etcdserverpb.KV/Range"; `message` without gRPC's prefix. */
  call(path: string, message: Uint8Array): Promise<BareAnswer> {
    return new Promise((resolve, reject) => {
      const stream = this.#session.request({
        ":method": "POST",
        ":path": path,
        "content-type": "application/grpc",
        te: "trailers",
      });
      let bytes = 0;
      let told: Record<string, unknown> = {};
      const note = (fields: object): void => {
        told = { ...told, ...fields };
      };
      stream.on("response", note);
      stream.on("trailers", note);
      stream.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
      });
      stream.once("error", reject);
      stream.once("end", () => {
        const status = String(told["grpc-status"]);
        resolve({ bytes, status, message: String(told["grpc-message"] ?? "") });
      });
      const prefix = Buffer.alloc(5);
      prefix.writeUInt32BE(message.length, 1);
      stream.end(Buffer.concat([prefix, message]));
    });
  }

  close(): void {
    this.#session.destroy();
  }
}
