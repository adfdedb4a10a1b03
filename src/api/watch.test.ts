import { describe, expect, test } from "vitest";
import type { Status, StreamCall } from "../grpc/call.js";
import { gateMethods } from "../member/gate/gate.fixture.js";
import type { Member } from "../member/types.js";
import { AuthTable } from "../state/auth/auth-table.js";
import { createWatchHub } from "../state/watch/hub.js";
import { bytes, type Change, NaiveStore, textOf } from "../state/watch/watch.fixture.js";
import { type WatchCreateRequest, WatchRequest, WatchResponse } from "../wire/gen/rpc.js";
import { watchMethods } from "./watch.js";

function setUp(options: { leader?: bigint; isLearner?: boolean; requestBytesMax?: number } = {}) {
  const store = new NaiveStore();
  const hub = createWatchHub(store.reader());
  const member = {
    id: 0xfedcba9876543210n,
    clusterId: 0x8123n,
    watch: hub,
    authenticator: { onChange: () => () => {} },
    machine: { auth: new AuthTable(), kv: store },
    limits: { requestBytesMax: options.requestBytesMax ?? 1_572_864 },
    term: () => 3,
    ...gateMethods({
      view: {
        hasLeader: () => options.leader !== 0n,
        isLearner: () => options.isLearner ?? false,
      },
    }),
  } as unknown as Member;
  const put = (...changes: Change[]) => {
    const events = store.apply(changes);
    if (events !== undefined) hub.notify(events);
  };
  return { store, hub, put, open: (metadata = {}) => new Caller(member, metadata) };
}

/** The client's end of one Watch call. */
class Caller {
  readonly received: Uint8Array[] = [];
  ended: Status | undefined;
  isFull = false;
  #onMessage = (_message: Uint8Array) => {};
  #onDrain = () => {};
  #onCancel = () => {};

  constructor(member: Member, metadata: Readonly<Record<string, string>>) {
    const call: Partial<StreamCall> = {
      metadata: (name) => metadata[name],
      fail: (status) => {
        this.ended ??= status;
      },
      send: (message) => {
        this.received.push(message);
        return !this.isFull;
      },
      onMessage: (fn) => {
        this.#onMessage = fn;
      },
      onDrain: (fn) => {
        this.#onDrain = fn;
      },
      onCancel: (fn) => {
        this.#onCancel = fn;
      },
    };
    const [method] = watchMethods(member);
    expect(method?.path).toBe("/etcdserverpb.Watch/Watch");
    if (method?.kind === "bidi") method.handle(call as StreamCall);
  }

  create(
    key: string,
    more: Partial<Omit<WatchCreateRequest, "range_end">> & { end?: string } = {},
  ) {
    const { end = "", ...others } = more;
    const value: WatchCreateRequest = {
      key: Buffer.from(key, "latin1"),
      range_end: Buffer.from(end, "latin1"),
      start_revision: 0n,
      progress_notify: false,
      filters: [],
      prev_kv: false,
      watch_id: 0n,
      fragment: false,
      ...others,
    };
    this.request({ $case: "create_request", value });
  }

  request(union: WatchRequest["request_union"]): void {
    this.raw(WatchRequest.encode({ request_union: union }).finish());
  }

  raw(message: Uint8Array): void {
    this.#onMessage(message);
  }

  drain(): void {
    this.isFull = false;
    this.#onDrain();
  }

  goAway(): void {
    this.#onCancel();
  }

  /**
   * The fields that are not default, without the constant part of the header; removes what it
   * returns.
   */
  take() {
    return this.received.splice(0).map((message) => {
      const { header, events, ...rest } = WatchResponse.decode(message);
      expect(header).toMatchObject({
        cluster_id: 0x8123n,
        member_id: 0xfedcba9876543210n,
        raft_term: 3n,
      });
      const set = Object.entries(rest).filter(([, value]) => value !== false && value !== "");
      const shown = set.filter(([name, value]) => name === "watch_id" || value !== 0n);
      const kvs = events.map((event) => {
        const sign = event.type === 1 ? "-" : "";
        const prev = event.prev_kv === undefined ? "" : `(was ${textOf(event.prev_kv.value)})`;
        return sign + textOf(event.kv?.key ?? bytes("?")) + prev;
      });
      const all = kvs.length === 0 ? shown : [...shown, ["events", kvs.join(" ")]];
      return { rev: Number(header?.revision), ...Object.fromEntries(all) };
    });
  }
}

describe("watch service", () => {
  // Real etcd 3.5.16 gave the expected answers.
  test("creation, refusal, cancel and progress answer as etcd does", () => {
    const { open, put, store, hub } = setUp();
    for (let at = 0; at < 6; at += 1) put(["a", "v"]);
    store.compact(4);
    const caller = open();
    caller.request({ $case: "progress_request", value: {} });
    caller.create("a");
    caller.create("a", { watch_id: 5n });
    caller.create("a", { watch_id: 5n });
    caller.create("b", { end: "a" });
    caller.create("a", { start_revision: 2n });
    hub.catchUp();
    caller.create("a", { watch_id: -7n, start_revision: 2n ** 63n - 1n });
    caller.request({ $case: "progress_request", value: {} });
    caller.request({ $case: "cancel_request", value: { watch_id: -7n } });
    caller.request({ $case: "cancel_request", value: { watch_id: 99n } });
    caller.raw(new Uint8Array(0));
    caller.request({ $case: "progress_request", value: {} });
    const refused = { rev: 7, watch_id: -1n, created: true, canceled: true };
    expect(caller.take()).toEqual([
      { rev: 7, watch_id: 0n, created: true },
      { rev: 7, watch_id: 5n, created: true },
      { ...refused, cancel_reason: "mvcc: duplicate watch ID provided on the WatchStream" },
      { ...refused, cancel_reason: "mvcc: watcher range is empty" },
      { rev: 7, watch_id: 1n, created: true },
      { rev: 0, watch_id: 1n, canceled: true, compact_revision: 4n },
      { rev: 7, watch_id: -7n, created: true },
      { rev: 7, watch_id: -7n, canceled: true },
      { rev: 7, watch_id: -1n },
    ]);
    expect(caller.ended).toBeUndefined();
  });

  test("a negative start revision is refused as compacted", () => {
    const { open } = setUp();
    const caller = open();
    caller.create("a", { start_revision: -1n });
    expect(caller.take()).toEqual([
      {
        rev: 1,
        watch_id: -1n,
        created: true,
        canceled: true,
        cancel_reason: "etcdserver: mvcc: required revision has been compacted",
      },
    ]);
  });

  test("events with filters and previous values; an empty key and a 0 byte mean everything", () => {
    const { open, put } = setUp();
    const caller = open();
    caller.create("", { end: "\0", prev_kv: true });
    caller.create("a", { filters: [0] });
    caller.create("a", { filters: [1] });
    caller.take();
    put(["a", "1"]);
    put(["a", "2"], ["b", "3"]);
    put(["a", undefined]);
    expect(caller.take()).toEqual([
      { rev: 2, watch_id: 2n, events: "a" },
      { rev: 2, watch_id: 0n, events: "a" },
      { rev: 3, watch_id: 2n, events: "a" },
      { rev: 3, watch_id: 0n, events: "a(was 1) b" },
      { rev: 4, watch_id: 1n, events: "-a" },
      { rev: 4, watch_id: 0n, events: "-a(was 2)" },
    ]);
  });

  test("big messages are cut only for those who asked", () => {
    const { open, put } = setUp({ requestBytesMax: 0 });
    const caller = open();
    caller.create("k", { end: "l", fragment: true });
    caller.create("k", { end: "l" });
    caller.take();
    const value = "x".repeat(200_000);
    put(["k1", value], ["k2", value], ["k3", value]);
    put(["k4", value.repeat(3)]);
    expect(caller.take()).toEqual([
      { rev: 2, watch_id: 0n, fragment: true, events: "k1 k2" },
      { rev: 2, watch_id: 0n, events: "k3" },
      { rev: 2, watch_id: 1n, events: "k1 k2 k3" },
      { rev: 3, watch_id: 0n, events: "k4" },
      { rev: 3, watch_id: 1n, events: "k4" },
    ]);
  });

  test("a full transport gets nothing until it drains; answers keep their order and options", () => {
    const { open, put, hub } = setUp({ requestBytesMax: 0 });
    const caller = open();
    caller.isFull = true;
    caller.create("a");
    caller.create("b", { end: "a" });
    caller.create("k", { end: "l", fragment: true });
    put(["k1", "x".repeat(300_000)], ["k2", "x".repeat(300_000)]);
    hub.catchUp();
    expect(caller.take()).toHaveLength(1);
    caller.drain();
    hub.catchUp();
    expect(caller.take()).toMatchObject([
      { watch_id: -1n, canceled: true },
      { watch_id: 1n, created: true },
      { watch_id: 1n, fragment: true, events: "k1" },
      { watch_id: 1n, events: "k2" },
    ]);
  });

  test("a client that goes away leaves no watcher; one that sends nonsense is told", () => {
    const { open, hub } = setUp();
    const [gone, wrong] = [open(), open()];
    for (const caller of [gone, wrong]) caller.create("a");
    gone.goAway();
    expect(gone.ended).toMatchObject({ code: 1, message: "etcdserver: watch canceled" });
    wrong.raw(Uint8Array.of(0xff, 0xff));
    expect(wrong.ended).toMatchObject({ code: 13 });
    expect(hub.stats()).toMatchObject({ streams: 0, watchers: 0 });
  });

  test("how streams end: stop, lost leader, no leader, learner", () => {
    const { open, hub } = setUp();
    const [patient, strict] = [open(), open({ hasleader: "true" })];
    hub.leaderLost();
    expect(patient.ended).toBeUndefined();
    expect(strict.ended).toMatchObject({ code: 14, message: "etcdserver: no leader" });
    hub.closeAll();
    expect(patient.ended).toMatchObject({ code: 14, message: "etcdserver: server stopped" });
    const leaderless = setUp({ leader: 0n });
    expect(leaderless.open({ hasleader: "true" }).ended).toMatchObject({ code: 14 });
    expect(leaderless.open().ended).toBeUndefined();
    expect(setUp({ isLearner: true }).open().ended).toMatchObject({
      message: "etcdserver: rpc not supported for learner",
    });
  });
});
