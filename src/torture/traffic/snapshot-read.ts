/**
 * Reads a snapshot of a member to its end, and compares its content with the SHA-256 that follows
 * it, as etcdutl does before it restores one. The content itself is dropped.
 */
import type { Clock } from "../../platform/clock.js";
import type { Hash, Sha256Stream } from "../../platform/hash.js";
import { SnapshotRequest, SnapshotResponse } from "../../wire/gen/rpc.js";
import type { Connection } from "../ports.js";

/** Begins the text of a snapshot that ended without an error and is not whole. */
export const damagedText = "damaged: ";
/** Begins the text of a call that this client gave up. */
export const lateText = "no end within ";

const sha256Bytes = 32;

/**
 * Resolves to what went wrong; undefined: the snapshot is whole.
 *
 * @param pauseMs the client takes nothing for this long after the first piece
 * @param begun called when the first piece is there
 */
export function readSnapshot(
  connection: Connection,
  parts: {
    readonly clock: Clock;
    readonly createSha256: Hash["createSha256"];
    readonly timeoutMs: number;
    readonly pauseMs: number;
    readonly begun: () => void;
  },
): Promise<string | undefined> {
  const { clock, timeoutMs, pauseMs, begun } = parts;
  return new Promise((resolve) => {
    const content = new CheckedContent(parts.createSha256());
    let isFirst = true;
    const late = clock.after(timeoutMs, () => {
      stream.cancel();
      resolve(`${lateText}${timeoutMs / 1_000} s`);
    });
    const stream = connection.stream("/etcdserverpb.Maintenance/Snapshot", {
      message: (bytes) => {
        content.add(SnapshotResponse.decode(bytes).blob);
        if (!isFirst) return;
        isFirst = false;
        begun();
        if (pauseMs === 0) return;
        stream.setReading(false);
        clock.after(pauseMs, () => stream.setReading(true));
      },
      ended: (error) => {
        late.cancel();
        resolve(error ?? content.problem());
      },
    });
    stream.write(SnapshotRequest.encode({}).finish());
    stream.finish();
  });
}

/** Content that is followed by its SHA-256 as a piece of its own. */
class CheckedContent {
  readonly #sha256: Sha256Stream;
  /** The newest piece, which may be the SHA-256. */
  #last: Uint8Array | undefined;
  #bytes = 0;

  constructor(sha256: Sha256Stream) {
    this.#sha256 = sha256;
  }

  add(piece: Uint8Array): void {
    if (this.#last !== undefined) {
      this.#sha256.update(this.#last);
      this.#bytes += this.#last.length;
    }
    this.#last = piece;
  }

  problem(): string | undefined {
    const sum = this.#last;
    if (sum?.length !== sha256Bytes) {
      return `${damagedText}no SHA-256 after ${this.#bytes + (sum?.length ?? 0)} bytes`;
    }
    const isSame = Buffer.compare(sum, this.#sha256.digest()) === 0;
    return isSame ? undefined : `${damagedText}${this.#bytes} bytes with another SHA-256`;
  }
}
