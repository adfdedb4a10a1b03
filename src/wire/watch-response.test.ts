import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Event, KeyValue } from "./gen/kv.js";
import { WatchResponse } from "./gen/rpc.js";
import { type SplicedEvent, splitEvents, WatchResponseEncoder } from "./watch-response.js";

const number = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }));
const int64 = fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.constant(0n));
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const blob = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
const kv = fc
  .record({
    key: blob,
    create_revision: int64,
    mod_revision: int64,
    version: int64,
    value: blob,
    lease: int64,
  })
  .map((row) => KeyValue.encode(row).finish());
const spliced: fc.Arbitrary<SplicedEvent> = fc.record({
  event: fc.record({ type: fc.constantFrom("put" as const, "delete" as const), kv }),
  prevKv: fc.option(kv, { nil: undefined }),
});
const head = fc.record({
  revision: number,
  raftTerm: number,
  watchId: int64,
  created: fc.boolean(),
  canceled: fc.boolean(),
  compactRevision: number,
  cancelReason: fc.string({ unit: "binary", maxLength: 40 }),
  fragment: fc.boolean(),
});

function generated(
  ids: { clusterId: bigint; memberId: bigint },
  of: typeof head extends fc.Arbitrary<infer H> ? H : never,
  events: readonly SplicedEvent[],
): Uint8Array {
  return WatchResponse.encode({
    header: {
      cluster_id: ids.clusterId,
      member_id: ids.memberId,
      revision: BigInt(of.revision),
      raft_term: BigInt(of.raftTerm),
    },
    watch_id: of.watchId,
    created: of.created,
    canceled: of.canceled,
    compact_revision: BigInt(of.compactRevision),
    cancel_reason: of.cancelReason,
    fragment: of.fragment,
    events: events.map(({ event, prevKv }) => ({
      type: event.type === "put" ? 0 : 1,
      kv: KeyValue.decode(event.kv),
      prev_kv: prevKv === undefined ? undefined : KeyValue.decode(prevKv),
    })),
  }).finish();
}

describe("watch response", () => {
  test("equals the generated codec's bytes, also when a list is encoded again", () => {
    const ids = fc.record({ clusterId: uint64, memberId: uint64 });
    fc.assert(
      fc.property(ids, head, fc.array(spliced, { maxLength: 5 }), (of, fields, events) => {
        const encoder = new WatchResponseEncoder(of);
        const expected = Buffer.from(generated(of, fields, events));
        expect(Buffer.from(encoder.encode(fields, events)).equals(expected)).toBe(true);
        expect(Buffer.from(encoder.encode(fields, events)).equals(expected)).toBe(true);
        const other = { ...fields, watchId: 7n };
        const expectedOther = Buffer.from(generated(of, other, events.slice(1)));
        expect(Buffer.from(encoder.encode(other, events.slice(1))).equals(expectedOther)).toBe(
          true,
        );
      }),
      { numRuns: 300 },
    );
  });

  test("parts keep all events in order and stay below the limit unless they are one event", () => {
    const encoder = new WatchResponseEncoder({ clusterId: 1n, memberId: 2n });
    fc.assert(
      fc.property(fc.array(spliced, { minLength: 1 }), fc.nat(2_000), (events, bytesMax) => {
        const fields = { revision: 9, raftTerm: 3, watchId: 4n, fragment: true };
        const empty = encoder.encode(fields, []).length;
        const parts = splitEvents(events, empty, bytesMax);
        expect(parts.flat()).toEqual(events);
        for (const [place, part] of parts.entries()) {
          expect(part.length).toBeGreaterThan(0);
          const length = encoder.encode(fields, part).length;
          if (part.length > 1) expect(length).toBeLessThan(bytesMax);
          const next = parts[place + 1]?.[0];
          if (next === undefined) continue;
          // No part ends earlier than it must.
          expect(encoder.encode(fields, [...part, next]).length).toBeGreaterThanOrEqual(bytesMax);
        }
      }),
    );
  });

  test("a delete event is field 1 = 1 and nothing but the key row", () => {
    const row = KeyValue.encode({
      ...KeyValue.decode(new Uint8Array(0)),
      key: Buffer.from("k"),
    }).finish();
    const encoder = new WatchResponseEncoder({ clusterId: 0n, memberId: 0n });
    const list: SplicedEvent[] = [{ event: { type: "delete", kv: row }, prevKv: undefined }];
    const bytes = encoder.encode({ revision: 0, raftTerm: 0, watchId: 0n }, list);
    expect(Buffer.from(bytes).toString("hex")).toBe("0a005a0708011203" + "0a016b");
    expect(Event.decode(bytes.subarray(4)).type).toBe(1);
  });
});
