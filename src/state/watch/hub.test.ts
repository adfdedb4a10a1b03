import { describe, expect, test } from "vitest";
import { InvariantViolation } from "../../base/invariant.js";
import { KeyValue } from "../../wire/gen/kv.js";
import { heldNoticesMax } from "./stream.js";
import { Client, hubOnStore } from "./watch.fixture.js";

describe("watchers in step", () => {
  test("get events of their key, prefix or everything, in the turn that applied them", () => {
    const { hub, put } = hubOnStore();
    const client = new Client(hub);
    client.watch("a");
    client.watch("a", { end: "c" });
    client.watch("b", { end: "\0" });
    client.watch("", { end: "\0" });
    client.take();
    put(["a", "1"]);
    put(["bb", "2"], ["a", undefined]);
    put(["\xff", "3"]);
    expect(client.take().sort()).toEqual(
      [
        "0: a=1@2",
        "1: a=1@2",
        "3: a=1@2",
        "0: -a@3",
        "1: bb=2@3 -a@3",
        "2: bb=2@3",
        "3: bb=2@3 -a@3",
        "2: \xff=3@4",
        "3: \xff=3@4",
      ].sort(),
    );
  });

  test("filters and previous values", () => {
    const { hub, put, store } = hubOnStore();
    const client = new Client(hub);
    client.watch("a", { noPut: true, prevKv: true });
    client.watch("a", { noDelete: true, prevKv: true });
    client.watch("a");
    client.take();
    put(["a", "1"]);
    expect(store.kvAtCalls).toBe(0);
    put(["a", "2"]);
    put(["a", undefined]);
    expect(client.take()).toEqual([
      "1: a=1@2",
      "2: a=1@2",
      "1: a=2@3(was 1@2)",
      "2: a=2@3",
      "0: -a@4(was 2@3)",
      "2: -a@4",
    ]);
    put(["a", "3"]);
    store.compact(5);
    put(["a", "4"]);
    store.compact(7);
    expect(client.take()).toContain("1: a=4@6(was 3@5)");
  });

  test("a previous value that compaction may have removed is not sent", () => {
    const { hub, put, store, settle } = hubOnStore();
    put(["a", "1"]);
    put(["a", "2"]);
    store.compact(3);
    const client = new Client(hub);
    client.watch("a", { startRevision: 3, prevKv: true });
    settle();
    expect(client.take()).toEqual(["created 0 @3", "0: a=2@3"]);
  });

  test("ids count up from 0 and are not reused; a taken one is refused", () => {
    const { hub } = hubOnStore();
    const client = new Client(hub);
    client.watch("a");
    expect(client.watch("a", { watchId: 1n })).toBeUndefined();
    expect(client.watch("a", { watchId: 1n })).toBe("duplicateId");
    client.watch("a");
    expect(client.stream.cancel(2n)).toBe(true);
    expect(client.stream.cancel(2n)).toBe(false);
    client.watch("a");
    expect(client.take()).toEqual([
      "created 0 @1",
      "created 1 @1",
      "refused duplicateId @1",
      "created 2 @1",
      "canceled 2 compact 0 @1",
      "created 3 @1",
    ]);
  });

  test("empty ranges and negative revisions are refused, one past the end is allowed", () => {
    const { hub } = hubOnStore();
    const client = new Client(hub);
    expect(client.watch("b", { end: "a" })).toBe("emptyRange");
    expect(client.watch("b", { end: "b" })).toBe("emptyRange");
    expect(client.watch("b", { startRevision: -1 })).toBe("badRevision");
    expect(client.watch("b", { end: "\0" })).toBeUndefined();
    expect(client.watch("b", { end: "b\0" })).toBeUndefined();
    expect(hub.stats().watchers).toBe(2);
  });

  test("a start in the future hides what comes before it", () => {
    const { hub, put } = hubOnStore();
    const client = new Client(hub);
    client.watch("a", { startRevision: 4 });
    for (const value of ["1", "2", "3", "4"]) put(["a", value]);
    expect(client.take()).toEqual(["created 0 @1", "0: a=3@4", "0: a=4@5"]);
  });

  test("canceled and closed watchers get nothing; events out of order are a bug", () => {
    const { hub, put, store } = hubOnStore();
    const client = new Client(hub);
    const other = new Client(hub);
    for (const of of [client, other]) of.watch("a", { end: "z" });
    client.stream.cancel(0n);
    other.stream.close();
    other.stream.close();
    client.take();
    put(["a", "1"]);
    expect([...client.take(), ...other.take().slice(1)]).toEqual([]);
    expect(hub.stats()).toEqual({ streams: 1, watchers: 0, slow: 0, pendingEvents: 0 });
    expect(() => hub.notify(store.log[0] as never)).toThrow(InvariantViolation);
  });
});

describe("catching up", () => {
  test("from the past to the present without gap or duplicate, then in step", () => {
    const { hub, put, settle } = hubOnStore({ limits: { revisionsMax: 3 } });
    for (let at = 2; at <= 10; at += 1) put([at % 2 === 0 ? "a" : "b", at.toString()]);
    const client = new Client(hub);
    client.watch("a", { startRevision: 4 });
    put(["a", "11"]);
    settle();
    put(["a", "12"]);
    const events = client.take().slice(1).join(" ").replaceAll("0: ", "");
    expect(events).toBe("a=4@4 a=6@6 a=8@8 a=10@10 a=11@11 a=12@12");
  });

  test("history that is gone cancels with the compact revision", () => {
    const { hub, put, store, settle } = hubOnStore();
    for (let at = 2; at <= 10; at += 1) put(["a", at.toString()]);
    store.compact(5);
    const client = new Client(hub);
    client.watch("a", { startRevision: 4 });
    client.watch("a", { startRevision: 5 });
    settle();
    expect(client.take()).toEqual([
      "created 0 @10",
      "created 1 @10",
      "canceled 0 compact 5 @0",
      "1: a=5@5 a=6@6 a=7@7 a=8@8 a=9@9 a=10@10",
    ]);
    expect(hub.stats().watchers).toBe(1);
  });

  test("a full stream is left alone, delays nobody and continues where it stopped", () => {
    let woken = 0;
    const onBehind = () => {
      woken += 1;
    };
    const { hub, put, settle } = hubOnStore({ onBehind });
    const slow = new Client(hub, 3);
    const fast = new Client(hub);
    for (const client of [slow, fast]) client.watch("a", { end: "b" });
    for (let at = 2; at <= 50; at += 1) {
      put(["a", at.toString()]);
      settle();
    }
    expect(slow.notices).toHaveLength(3);
    expect(fast.notices).toHaveLength(50);
    expect(hub.stats()).toMatchObject({ slow: 1, pendingEvents: 0 });
    expect(woken).toBe(0);
    slow.read(1);
    expect(woken).toBe(1);
    settle();
    slow.read(100);
    put(["a", "51"]);
    settle();
    const events = slow.take().slice(1).join(" ").replaceAll("0: ", "").split(" ");
    expect(events).toEqual(Array.from({ length: 50 }, (_, at) => `a=${at + 2}@${at + 2}`));
    expect(slow.unwanted).toBe(0);
  });

  test("answers wait for room, in order, before events", () => {
    const { hub, put, settle } = hubOnStore();
    const client = new Client(hub, 1);
    client.watch("a");
    client.watch("b");
    client.watch("b", { end: "a" });
    client.watch("c");
    client.stream.cancel(2n);
    put(["b", "1"]);
    settle();
    expect(hub.stats().pendingEvents).toBe(4);
    client.read(2);
    client.read(3);
    settle();
    expect(client.take()).toEqual([
      "created 0 @1",
      "created 1 @1",
      "refused emptyRange @1",
      "created 2 @1",
      "canceled 2 compact 0 @1",
      "1: b=1@2",
    ]);
    expect(client.unwanted).toBe(0);
  });

  test("a client that asks without reading is cut off", () => {
    const { hub } = hubOnStore();
    const client = new Client(hub, 1);
    client.watch("a");
    for (let at = 1; at <= heldNoticesMax + 1; at += 1) {
      client.watch("a");
      client.stream.cancel(BigInt(at));
    }
    expect(client.take()).toEqual(["created 0 @1", "ended overloaded"]);
    expect(hub.stats()).toEqual({ streams: 0, watchers: 0, slow: 0, pendingEvents: 0 });
  });

  test("1,000 watchers read history together, not each for itself", () => {
    const { hub, put, store, settle } = hubOnStore();
    for (let at = 2; at <= 5_001; at += 1) put(["a", at.toString()]);
    const clients = Array.from({ length: 10 }, () => new Client(hub));
    for (let at = 0; at < 1_000; at += 1) {
      clients[at % 10]?.watch("a", { startRevision: 2 + at * 5, end: at % 2 === 0 ? "" : "b" });
    }
    settle();
    // Two sweeps for 1,000 watchers, and as many passes for those that are nearly at the present.
    expect(store.revisionsRead).toBeLessThan(4 * 5_000);
    let events = 0;
    for (const client of clients) {
      for (const notice of client.notices)
        if (notice.kind === "events") events += notice.events.length;
    }
    expect(events).toBe((1_000 * (5_000 + 5)) / 2);
  });

  test("big revisions are handed over in small pieces", () => {
    const { hub, put, settle } = hubOnStore({ limits: { bytesMax: 10_000 } });
    for (let at = 0; at < 100; at += 1) put(["a", "x".repeat(1_000)]);
    const client = new Client(hub, 2);
    client.watch("a", { startRevision: 2 });
    settle();
    // The first answer, and one piece of at most 10,000 bytes and one revision.
    const [, piece] = client.notices;
    expect(piece?.kind === "events" && piece.events.length).toBe(10);
    client.read(1_000);
    settle();
    const sizes = client.notices.map((notice) =>
      notice.kind === "events" ? notice.events.length : 0,
    );
    expect(sizes.reduce((sum, size) => sum + size)).toBe(100);
    expect(Math.max(...sizes)).toBe(10);
  });
});

describe("calls back into the hub while it delivers", () => {
  test("a stream closed by another's delivery is not brought back", () => {
    const { hub, put, settle } = hubOnStore();
    put(["a", "1"]);
    const other = new Client(hub);
    const closing = hub.open((notice) => {
      if (notice.kind === "events") other.stream.close();
      return true;
    });
    const spec = { watchId: 0n, rangeEnd: new Uint8Array(0), startRevision: 1 };
    const flags = { progressNotify: false, noPut: false, noDelete: false, prevKv: false };
    closing.create({ ...spec, ...flags, key: Uint8Array.of(0x61) });
    other.watch("b", { startRevision: 1 });
    settle();
    put(["b", "2"]);
    expect(other.take()).toEqual(["created 0 @2"]);
    expect(hub.stats()).toEqual({ streams: 1, watchers: 1, slow: 0, pendingEvents: 0 });
  });

  test("a transport that drains at once loses nothing", () => {
    const { hub, put, settle } = hubOnStore({ limits: { bytesMax: 1 } });
    for (let at = 2; at <= 20; at += 1) put(["a", at.toString()]);
    const seen: number[] = [];
    const stream = hub.open((notice) => {
      if (notice.kind !== "events") return true;
      seen.push(
        ...notice.events.map(({ event }) => Number(KeyValue.decode(event.kv).mod_revision)),
      );
      return false;
    });
    const spec = { watchId: 0n, rangeEnd: new Uint8Array(0), startRevision: 2 };
    const flags = { progressNotify: false, noPut: false, noDelete: false, prevKv: false };
    stream.create({ ...spec, ...flags, key: Uint8Array.of(0x61) });
    // Resumes the stream between two hand-overs of one pass: history calls back into the transport.
    const other = hub.open(() => {
      stream.resume();
      return true;
    });
    other.create({ ...spec, ...flags, key: Uint8Array.of(0x61) });
    settle();
    stream.resume();
    settle();
    expect(seen).toEqual(Array.from({ length: 19 }, (_, at) => at + 2));
  });
});
