/**
 * The command watch: prints the events of a key or range until the call is interrupted; a command
 * after "--" runs for each event. When the endpoint is lost, the watch continues at another one,
 * after the last event that it printed.
 */
import { spawnSync } from "node:child_process";
import { type Event, Event_EventType as EventType } from "../../wire/gen/kv.js";
import {
  WatchCreateRequest as CreateRequest,
  type WatchCreateRequest,
  type WatchResponse,
} from "../../wire/gen/rpc.js";
import { ConnectionLost } from "./client.js";
import {
  type Command,
  type Context,
  headerFields,
  keyValueFields,
  keyValueLines,
  show,
} from "./context.js";
import { CtlError, Exit } from "./flags.js";
import { keyRangeOf } from "./kv.js";
import { methods } from "./method.js";
import { quoted, struct } from "./print-values.js";

const reopenMs = 100;

async function watch(context: Context): Promise<never> {
  const create = createRequest(context);
  let next = create.start_revision;
  let wasAnswered = false;
  for (;;) {
    const value = { ...create, start_revision: next };
    const request = { request_union: { $case: "create_request" as const, value } };
    let end: CtlError | undefined;
    try {
      for await (const answer of context.client.stream(methods.watch, request)) {
        wasAnswered = true;
        const behind = (answer.header?.revision ?? 0n) + 1n;
        const isBegin = answer.created && !answer.canceled;
        if (!isBegin) end = heard(context, answer);
        if (end !== undefined) break;
        // The first answer gives the revision where a watch "from now on" begins. A watch of the
        // past names its own.
        if ((!isBegin || next === 0n) && behind > next) next = behind;
      }
    } catch (error) {
      if (!wasAnswered || !(error instanceof ConnectionLost)) throw error;
    }
    if (end !== undefined) throw end;
    await new Promise((resolve) => setTimeout(resolve, reopenMs));
  }
}

function createRequest({ args: all, after, flags }: Context): WatchCreateRequest {
  const given = all.slice(0, all.length - after.length);
  const { ETCDCTL_WATCH_KEY: key = "", ETCDCTL_WATCH_RANGE_END: end = "" } = process.env;
  const args = given.length > 0 ? given : [key, end].filter((word) => word !== "");
  if (args.length === 0 || args.length > 2 || (flags.isOn("prefix") && args.length > 1)) {
    throw new CtlError("bad number of arguments", Exit.badArgs);
  }
  return {
    ...CreateRequest.decode(new Uint8Array(0)),
    ...keyRangeOf(args, flags),
    start_revision: flags.integer("rev"),
    prev_kv: flags.isOn("prev-kv"),
    progress_notify: flags.isOn("progress-notify"),
  };
}

/** Prints an answer and runs the user's command; returns why the watch ends, if it does. */
function heard(context: Context, answer: WatchResponse): CtlError | undefined {
  const { header, events, canceled, compact_revision } = answer;
  if (canceled) {
    const compacted = "etcdserver: mvcc: required revision has been compacted";
    const reason = compact_revision > 0n ? compacted : answer.cancel_reason;
    process.stderr.write(`watch was canceled (${reason})\n`);
  } else if (events.length === 0) {
    process.stdout.write(`progress notify: ${header?.revision ?? 0}\n`);
  }
  show(context, {
    simple: () => Buffer.concat(events.flatMap((event) => eventLines(event, context.hex))),
    json: () =>
      struct({
        Header: header ?? {},
        Events: events,
        CompactRevision: compact_revision,
        Canceled: canceled,
        Created: answer.created,
      }),
    fields: () => headerFields(header) + events.map(eventFields).join(""),
  });
  for (const event of events) {
    const failed = runFor(context.after, event, header?.revision ?? 0n);
    if (failed !== undefined) return failed;
  }
  return canceled ? new CtlError("watch is canceled by the server", Exit.interrupted) : undefined;
}

function eventLines({ type, kv, prev_kv }: Event, hex: boolean): Uint8Array[] {
  return [
    Buffer.from(`${EventType[type]}\n`),
    ...(prev_kv ? [keyValueLines(prev_kv, hex)] : []),
    ...(kv ? [keyValueLines(kv, hex)] : []),
  ];
}

function eventFields({ type, kv, prev_kv }: Event): string {
  const before = prev_kv ? keyValueFields(prev_kv, "Prev") : "";
  return `"Type" : ${EventType[type]}\n${before}${kv ? keyValueFields(kv) : ""}`;
}

/** Runs the user's command with the event in its environment; returns its failure. */
function runFor(
  words: readonly string[],
  { type, kv }: Event,
  revision: bigint,
): CtlError | undefined {
  const [command, ...args] = words;
  if (command === undefined || kv === undefined) return undefined;
  const { status, error } = spawnSync(command, args, {
    stdio: ["ignore", "inherit", "inherit"],
    env: {
      ...process.env,
      ETCD_WATCH_REVISION: revision.toString(),
      ETCD_WATCH_EVENT_TYPE: JSON.stringify(EventType[type]),
      ETCD_WATCH_KEY: quoted(kv.key),
      ETCD_WATCH_VALUE: quoted(kv.value),
    },
  });
  if (status === 0) return undefined;
  const how = error?.message ?? `exit status ${status}`;
  return new CtlError(`command ${JSON.stringify(words)} error (${how})`);
}

export const watchCommands: Readonly<Record<string, Command>> = {
  watch: {
    flags: { prefix: false, rev: "0", "prev-kv": false, "progress-notify": false },
    run: watch,
  },
};
