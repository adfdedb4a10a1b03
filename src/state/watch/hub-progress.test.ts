/** Progress notices, and the end of streams. */
import { describe, expect, test } from "vitest";
import { Client, hubOnStore } from "./watch.fixture.js";

describe("progress", () => {
  test("a request is answered only if all watchers of the stream have seen all", () => {
    const { hub, put, settle } = hubOnStore();
    const client = new Client(hub);
    client.stream.requestProgress();
    client.watch("a");
    client.stream.requestProgress();
    put(["a", "1"]);
    client.watch("b", { startRevision: 1 });
    client.stream.requestProgress();
    settle();
    client.stream.requestProgress();
    client.watch("c", { startRevision: 3 });
    client.stream.requestProgress();
    put(["z", "1"]);
    client.stream.requestProgress();
    expect(client.take()).toEqual([
      "created 0 @1",
      "progress -1 @1",
      "0: a=1@2",
      "created 1 @2",
      "progress -1 @2",
      "created 2 @2",
      "progress -1 @3",
    ]);
  });

  test("requests to a full stream are answered once, and only if nothing was missed", () => {
    const { hub, put, settle } = hubOnStore();
    const client = new Client(hub, 1);
    client.watch("a");
    client.stream.requestProgress();
    client.stream.requestProgress();
    client.read(1);
    client.stream.requestProgress();
    put(["a", "1"]);
    client.read(10);
    settle();
    expect(client.take()).toEqual(["created 0 @1", "progress -1 @1", "0: a=1@2"]);
  });

  test("ticks reach those who asked, saw no events, and are up to date", () => {
    const { hub, put } = hubOnStore();
    const client = new Client(hub);
    client.watch("a", { progressNotify: true });
    client.watch("b", { progressNotify: true });
    client.watch("c");
    client.watch("d", { progressNotify: true, startRevision: 9 });
    put(["a", "1"]);
    client.take();
    hub.tickProgress();
    expect(client.take()).toEqual(["progress 1 @2"]);
    hub.tickProgress();
    expect(client.take()).toEqual(["progress 0 @2", "progress 1 @2"]);
  });
});

test("closing all tells every stream once, also full ones", () => {
  const { hub, put } = hubOnStore();
  const full = new Client(hub, 1);
  const idle = new Client(hub);
  full.watch("a");
  full.watch("a");
  hub.closeAll();
  hub.closeAll();
  put(["a", "1"]);
  full.read(10);
  full.stream.requestProgress();
  expect(full.take()).toEqual(["created 0 @1", "ended stopped"]);
  expect(idle.take()).toEqual(["ended stopped"]);
  expect(hub.catchUp()).toBe(false);
});

test("a lost leader ends only the streams that need one", () => {
  const { hub, put } = hubOnStore();
  const strict = new Client(hub, 100, true);
  const patient = new Client(hub);
  for (const client of [strict, patient]) client.watch("a");
  hub.leaderLost();
  put(["a", "1"]);
  expect(strict.take()).toEqual(["created 0 @1", "ended noLeader"]);
  expect(patient.take()).toEqual(["created 0 @1", "0: a=1@2"]);
});
