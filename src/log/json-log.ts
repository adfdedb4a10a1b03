/** etcd's log form: one JSON object a line with level, ts, caller, msg and fields. */

export type LogLevel = "debug" | "info" | "warn" | "error" | "fatal";
export type LogFields = Readonly<Record<string, unknown>>;
export type Log = (level: LogLevel, message: string, fields?: LogFields) => void;

const ranks: Readonly<Record<LogLevel, number>> = {
  debug: 0,
  info: 1,
  warn: 2,
  error: 3,
  fatal: 4,
};

/** `write` gets whole lines; `unixMs` is the wall clock. */
export function createJsonLog(options: {
  readonly level: LogLevel;
  readonly caller: string;
  readonly unixMs: () => number;
  readonly write: (line: string) => void;
}): Log {
  const lowest = ranks[options.level];
  return (level, message, fields = {}) => {
    if (ranks[level] < lowest) return;
    const entry = {
      level,
      ts: timestamp(options.unixMs()),
      caller: options.caller,
      msg: message,
      ...fields,
    };
    options.write(`${JSON.stringify(entry, plain)}\n`);
  };
}

/** 2006-01-02T15:04:05.000000Z0700, in UTC. */
function timestamp(unixMs: number): string {
  // The clock gives milliseconds; etcd's layout has six places.
  return new Date(unixMs).toISOString().replace(/Z$/, "000Z");
}

/** Ids in hexadecimal, as etcd shows them; errors as their text. */
function plain(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString(16);
  return value instanceof Error ? value.message : value;
}
