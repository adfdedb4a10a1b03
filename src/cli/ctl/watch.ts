/** watch: the events of a key or range until the call is interrupted. */
import { Event_EventType as EventType } from "../../wire/gen/kv.js";
import {
  WatchCreateRequest as CreateRequest,
  type WatchCreateRequest,
} from "../../wire/gen/rpc.js";
import { methods } from "./client.js";
import {
  type Command,
  type Context,
  headerFields,
  keyValueFields,
  keyValueLines,
  show,
} from "./context.js";
import { CtlError, Exit } from "./flags.js";
import { keyRange } from "./kv.js";
import { struct } from "./print-values.js";

async function watch(context: Context): Promise<never> {
  const { args, flags, hex } = context;
  if (args.length === 0 || args.length > 2 || (flags.isOn("prefix") && args.length > 1)) {
    throw new CtlError("bad number of arguments", Exit.badArgs);
  }
  const create: WatchCreateRequest = {
    ...CreateRequest.decode(new Uint8Array(0)),
    ...keyRange(args, flags),
    start_revision: flags.integer("rev"),
    prev_kv: flags.isOn("prev-kv"),
    progress_notify: flags.isOn("progress-notify"),
  };
  const request = { request_union: { $case: "create_request" as const, value: create } };
  for await (const answer of context.client.stream(methods.watch, request)) {
    const { header, events, canceled, compact_revision } = answer;
    if (answer.created && !canceled) continue;
    if (canceled) {
      const reason =
        compact_revision > 0n
          ? "etcdserver: mvcc: required revision has been compacted"
          : answer.cancel_reason;
      process.stderr.write(`watch was canceled (${reason})\n`);
    } else if (events.length === 0) {
      process.stdout.write(`progress notify: ${header?.revision ?? 0}\n`);
    }
    show(context, {
      simple: () =>
        Buffer.concat(
          events.flatMap(({ type, kv, prev_kv }) => [
            Buffer.from(`${EventType[type]}\n`),
            ...(prev_kv ? [keyValueLines(prev_kv, hex)] : []),
            ...(kv ? [keyValueLines(kv, hex)] : []),
          ]),
        ),
      json: () =>
        struct({
          Header: header ?? {},
          Events: events.length === 0 ? null : events,
          CompactRevision: compact_revision,
          Canceled: canceled,
          Created: answer.created,
        }),
      fields: () =>
        headerFields(header) +
        events
          .map(({ type, kv, prev_kv }) => {
            const before = prev_kv ? keyValueFields(prev_kv, "Prev") : "";
            return `"Type" : ${EventType[type]}\n${before}${kv ? keyValueFields(kv) : ""}`;
          })
          .join(""),
    });
    if (canceled) break;
  }
  throw new CtlError("watch is canceled by the server", Exit.interrupted);
}

export const watchCommands: Readonly<Record<string, Command>> = {
  watch: {
    flags: { prefix: false, rev: "0", "prev-kv": false, "progress-notify": false },
    run: watch,
  },
};
