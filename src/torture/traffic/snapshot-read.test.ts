import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import type { Clock } from "../../platform/clock.js";
import { nodeHash } from "../../platform/node/hash.js";
import { SnapshotResponse } from "../../wire/gen/rpc.js";
import type { Connection } from "../ports.js";
import { readSnapshot } from "./snapshot-read.js";

/** A member that sends these pieces, and then ends the stream, with an error if there is one. */
function reading(pieces: readonly Uint8Array[], error?: string): Promise<string | undefined> {
  const stream: Connection["stream"] = (_path, events) => ({
    write: () => {},
    setReading: () => {},
    cancel: () => {},
    finish: () => {
      for (const blob of pieces) {
        const message = { header: undefined, remaining_bytes: 0n, blob, version: "" };
        events.message(SnapshotResponse.encode(message as never).finish());
      }
      events.ended(error);
    },
  });
  const connection = { stream } as unknown as Connection;
  const { createSha256 } = nodeHash;
  const clock = { after: () => ({ cancel: () => {} }) } as unknown as Clock;
  return readSnapshot(connection, {
    ...{ clock, createSha256, timeoutMs: 1_000, pauseMs: 0, begun: () => {} },
  });
}

test("a snapshot is whole if its last piece is the SHA-256 of the others", async () => {
  const pieces = [Buffer.from("one"), Buffer.from("two")];
  const sum = createHash("sha256").update("onetwo").digest();
  expect(await reading([...pieces, sum])).toBeUndefined();
  expect(await reading(pieces)).toBe("damaged: no SHA-256 after 6 bytes");
  expect(await reading([])).toBe("damaged: no SHA-256 after 0 bytes");
  expect(await reading([pieces[0] as Buffer, sum])).toBe("damaged: 3 bytes with another SHA-256");
  expect(await reading(pieces, "gone")).toBe("gone");
});
