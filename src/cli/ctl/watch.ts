/**
 * `watch`: events of a key or range as they come, from a past revision on if asked; a command after
 * "--" runs for each. When its endpoint fails it goes on at another one, behind the last event seen.
 */
import { spawnSync } from "node:child_process";
import { type Event, Event_EventType } from "../../wire/gen/kv.js";
import { WatchCreateRequest, type WatchResponse } from "../../wire/gen/rpc.js";
import { whole } from "./client.js";
import { type CtlCommand, type Invocation, truth } from "./command.js";
import { CtlFailure, exitCodes, refuseArguments } from "./failure.js";
import { messageJson, plainJson, quoted, RawJson } from "./go-text.js";
import type { Printer } from "./printer.js";
import { keyRange } from "./requests.js";

const reopenMs = 100;

export const watchCommand: CtlCommand = {
  name: "watch",
  usage: "[flags] <key> [range_end] [-- command args...]",
  help: "events of a key or range, as they come",
  flags: [
    truth("prefix", "all keys that begin with the key"),
    truth("prev-kv", "show what was there before"),
    truth("progress-notify", "tell now and then that nothing was missed"),
    { name: "rev", kind: "integer", initial: "0", help: "from this revision on; 0: from now on" },
  ],
  run: watch,
};

async function watch(call: Invocation): Promise<void> {
  const { flags, client, out } = call;
  const request = whole(WatchCreateRequest, {
    ...watchedRange(call),
    start_revision: flags.integer("rev"),
    prev_kv: flags.boolean("prev-kv"),
    progress_notify: flags.boolean("progress-notify"),
  });
  out.mustBe("simple", "json", "fields");
  let next = request.start_revision;
  for (;;) {
    await new Promise<void>((reopen, reject) => {
      const onMessage = (message: WatchResponse): void => {
        try {
          next = heard(call, message, next);
        } catch (error) {
          reject(error);
        }
      };
      client
        .open("watch", { onMessage, onEnd: () => setTimeout(reopen, reopenMs) })
        .then(({ send }) => {
          const value = { ...request, start_revision: next };
          send({ request_union: { $case: "create_request", value } });
        }, reject);
    });
  }
}

function watchedRange({ args, flags }: Invocation): ReturnType<typeof keyRange> {
  const { ETCDCTL_WATCH_KEY: key, ETCDCTL_WATCH_RANGE_END: end } = process.env;
  if (args.length > 0) return keyRange(args, flags);
  if (key === undefined) refuseArguments("bad number of arguments");
  return keyRange(end === undefined || end === "" ? [key] : [key, end], flags);
}

/** Prints a message; gives the revision from which a broken watch goes on. @throws CtlFailure */
function heard(call: Invocation, message: WatchResponse, next: bigint): bigint {
  const revision = message.header?.revision ?? 0n;
  if (message.created && !message.canceled) return next === 0n ? revision + 1n : next;
  const { out } = call;
  const isProgress = message.events.length === 0 && !message.canceled && revision > 0n;
  if (message.canceled) {
    const compacted = "etcdserver: mvcc: required revision has been compacted";
    const reason = message.compact_revision > 0n ? compacted : message.cancel_reason;
    call.warn(`watch was canceled (${reason})`);
  }
  if (isProgress) out.line(`progress notify: ${revision}`);
  print(out, message);
  for (const event of message.events) runFor(call, event, revision);
  if (message.canceled) {
    throw new CtlFailure(exitCodes.interrupted, "watch is canceled by the server");
  }
  return revision + 1n > next ? revision + 1n : next;
}

function print(out: Printer, message: WatchResponse): void {
  if (out.format === "json") {
    const events = message.events.map((event) => new RawJson(messageJson(event)));
    const shown = {
      Header: new RawJson(messageJson(message.header)),
      Events: events,
      CompactRevision: message.compact_revision,
      Canceled: message.canceled,
      Created: false,
    };
    return out.line(plainJson(shown));
  }
  if (out.format === "fields") out.headerFields(message.header);
  for (const event of message.events) printEvent(out, event);
}

function printEvent(out: Printer, { type, kv, prev_kv }: Event): void {
  const name = Event_EventType[type];
  if (out.format === "fields") {
    out.line(`"Type" : ${name}`);
    if (prev_kv !== undefined) out.keyValueFields(prev_kv, "Prev");
    if (kv !== undefined) out.keyValueFields(kv);
    return;
  }
  out.line(name);
  if (prev_kv !== undefined) out.keyAndValue(prev_kv);
  if (kv !== undefined) out.keyAndValue(kv);
}

/** The command of the user, with the event in its environment. @throws CtlFailure */
function runFor({ after }: Invocation, { type, kv }: Event, revision: bigint): void {
  const [command, ...args] = after;
  if (command === undefined || kv === undefined) return;
  const { status, error } = spawnSync(command, args, {
    stdio: ["ignore", "inherit", "inherit"],
    env: {
      ...process.env,
      ETCD_WATCH_REVISION: revision.toString(),
      ETCD_WATCH_EVENT_TYPE: quoted(Event_EventType[type] ?? ""),
      ETCD_WATCH_KEY: quoted(kv.key),
      ETCD_WATCH_VALUE: quoted(kv.value),
    },
  });
  if (status === 0) return;
  const how = error?.message ?? `exit status ${status}`;
  throw new CtlFailure(exitCodes.failed, `command ${JSON.stringify(after)} error (${how})`);
}
