/** A stream of the gateway whose client asks without reading. */
import { expect, test } from "vitest";
import type { StreamCall } from "../grpc/call.js";
import { CallCounters } from "../grpc/call-counters.js";
import { LocalServer } from "../grpc/local/local-server.js";
import { nodeClock } from "../platform/node/clock.js";
import { CallBridge } from "./call-bridge.js";
import { rpcMessages } from "./descriptors.js";

const path = "/etcdserverpb.Watch/Watch";

test("nothing more is read from a client that does not read its answers, until it does", () => {
  const handle = (call: StreamCall): void => call.onMessage(() => call.send(new Uint8Array()));
  const server = new LocalServer({
    methods: [{ path, kind: "bidi", handle }],
    ...{ counters: new CallCounters(), clock: nodeClock },
    onError: (error) => {
      throw error;
    },
  });
  const wanted: boolean[] = [];
  let isRead = false;
  const output = {
    write: () => isRead,
    end: () => {},
    refuse: () => {},
    wantsInput: (isWanted: boolean) => void wanted.push(isWanted),
  };
  const messages = rpcMessages().get(path);
  if (messages === undefined) throw new Error("no messages");
  const parts = { server, clock: nodeClock, requestBytesMax: 1_000 };
  const request = { metadata: () => undefined, timeoutMs: undefined };
  const bridge = new CallBridge(parts, path, messages, request, output);
  bridge.receive(Buffer.from("{}{}"));
  expect(wanted).toEqual([false]);
  isRead = true;
  bridge.drained();
  expect(wanted).toEqual([false, true]);
  bridge.receive(Buffer.from("{}"));
  expect(wanted).toEqual([false, true]);
  isRead = false;
  bridge.receive(Buffer.from("{}"));
  bridge.receive(Buffer.from("no JSON"));
  expect(wanted, "the end of a call lets the rest of the input go by").toEqual([
    ...[false, true, false],
    true,
  ]);
});
