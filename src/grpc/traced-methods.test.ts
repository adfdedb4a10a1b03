/** Spans end once, with the status that the client gets. */
import { expect, test } from "vitest";
import { Code } from "../base/errors.js";
import type { Clock } from "../platform/clock.js";
import type { Tracing } from "../platform/tracing.js";
import type { Method, StreamCall, UnaryCall } from "./call.js";
import { CallCounters } from "./call-counters.js";
import { LocalServer } from "./local/local-server.js";
import { tracedMethods } from "./traced-methods.js";

type Ended = readonly [path: string, parent: string | undefined, code: number, message: string];

/** One service whose method does `unary` or `stream`, and the ends of its spans. */
function setUp({
  unary = () => {},
  stream = () => {},
}: {
  unary?: (call: UnaryCall) => void;
  stream?: (call: StreamCall) => void;
}) {
  const ended: Ended[] = [];
  const tracing: Tracing = {
    begin: (path, metadata) => ({
      end: (code, message) => ended.push([path, metadata("traceparent"), code, message]),
    }),
    close: async () => {},
  };
  let nowMs = 0;
  const timers: { dueMs: number; fn: () => void }[] = [];
  const clock = {
    now: () => nowMs,
    after: (delayMs: number, fn: () => void) => {
      timers.push({ dueMs: nowMs + delayMs, fn });
      return { cancel: () => {} };
    },
  } as unknown as Clock;
  const pass = (ms: number): void => {
    nowMs += ms;
    const due = timers.filter(({ dueMs }) => dueMs <= nowMs);
    for (const { fn } of due) fn();
  };
  const methods: Method[] = [
    { path: "/s/Unary", kind: "unary", handle: (_request, call) => unary(call) },
    { path: "/s/Stream", kind: "bidi", handle: stream },
  ];
  const server = new LocalServer({
    methods: tracedMethods(methods, tracing),
    counters: new CallCounters(),
    clock,
    onError: (error) => ({ code: Code.internal, message: String(error) }),
  });
  const sent: string[] = [];
  const sink = {
    message: (message: Uint8Array) => sent.push(Buffer.from(message).toString()) > 0,
    end: () => {},
  };
  const request = (timeoutMs?: number) => ({
    metadata: (name: string) => (name === "traceparent" ? "P" : undefined),
    timeoutMs,
  });
  return {
    ...{ ended, sent, pass },
    unary: (timeoutMs?: number) => server.unary("/s/Unary", Buffer.of(), request(timeoutMs), sink),
    stream: (timeoutMs?: number) => server.stream("/s/Stream", request(timeoutMs), sink),
  };
}

test("an answer, an error, a throw", () => {
  const answered = setUp({ unary: (call) => call.respond(Buffer.from("a")) });
  answered.unary();
  expect([answered.ended, answered.sent]).toEqual([[["/s/Unary", "P", 0, ""]], ["a"]]);
  const failed = setUp({ unary: (call) => call.fail({ code: Code.notFound, message: "no" }) });
  failed.unary();
  expect(failed.ended).toEqual([["/s/Unary", "P", Code.notFound, "no"]]);
  const thrown = setUp({
    unary: () => {
      throw new TypeError("a bug");
    },
  });
  thrown.unary();
  expect(thrown.ended[0]).toEqual(["/s/Unary", "P", Code.internal, "TypeError: a bug"]);
});

test("an answer in pieces ends the span when the last one was taken", () => {
  const pieces = ["a", "b"].map((piece) => Buffer.from(piece));
  let isClosed = false;
  const { ended, sent, unary } = setUp({
    unary: (call) =>
      call.respondInPieces({
        length: 2,
        next: () => {
          expect(ended).toEqual([]);
          return pieces.shift();
        },
        close: () => {
          isClosed = true;
        },
      }),
  });
  unary();
  expect([ended, sent, isClosed]).toEqual([[["/s/Unary", "P", 0, ""]], ["ab"], true]);
});

test("a stream's end, a client that goes, a deadline", () => {
  const over = setUp({
    stream: (call) => {
      call.onMessage((message) => call.send(message));
      call.onHalfClose(() => call.end());
    },
  });
  const call = over.stream();
  call.write(Buffer.from("x"));
  expect([over.sent, over.ended]).toEqual([["x"], []]);
  call.halfClose();
  expect(over.ended).toEqual([["/s/Stream", "P", 0, ""]]);
  const left = setUp({});
  left.stream().cancel();
  expect(left.ended).toEqual([["/s/Stream", "P", Code.canceled, "context canceled"]]);
  const late = setUp({});
  late.stream(10);
  late.pass(50);
  expect(late.ended).toEqual([
    ["/s/Stream", "P", Code.deadlineExceeded, "context deadline exceeded"],
  ]);
});
