/**
 * etcd's two log forms: one JSON object a line with level, ts, caller, msg and fields; or for people the
 * same with tabs between time, level, caller, text and the fields as JSON.
 */

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
export function createLog(options: {
  readonly level: LogLevel;
  readonly format: "json" | "console";
  readonly caller: string;
  readonly unixMs: () => number;
  readonly write: (line: string) => void;
}): Log {
  const lowest = ranks[options.level];
  return (level, message, fields = {}) => {
    if (ranks[level] < lowest) return;
    const ts = timestamp(options.unixMs());
    const { caller } = options;
    if (options.format === "console") {
      const columns = [ts, level, caller, message];
      if (Object.keys(fields).length > 0) columns.push(JSON.stringify(fields, plain));
      options.write(`${columns.join("\t")}\n`);
    } else {
      const entry = { level, ts, caller, msg: message, ...fields };
      options.write(`${JSON.stringify(entry, plain)}\n`);
    }
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
