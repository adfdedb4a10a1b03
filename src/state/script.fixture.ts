/**
 * For tests only: runs scripts of key-space commands and prints what the machine answers. A script
 * is blocks of commands, `----`, and the expected output, each block up to an empty line; lines
 * with # are comments. UPDATE=1 rewrites the outputs: read the diff.
 *
 *   put KEY=VALUE [lease=N] [prev] [ignore-value] [ignore-lease]
 *   del KEY [END] [prev]           END "\0": from KEY on
 *   get KEY [END] [rev=N] [limit=N] [sort=asc:mod] [keys-only] [count-only] [min-mod=N] ...
 *   txn                            then lines: if TARGET(KEY [END]) OP VALUE / then COMMAND / else COMMAND
 *   compact N | step ROWS | grant N | revoke N | hash [N] | history FROM TO | rows | restart
 */
import { KvError } from "../base/errors.js";
import { Bucket } from "../platform/rows.js";
import type { Compare, RequestOp } from "../wire/gen/rpc.js";
import {
  applyCommand,
  bytes,
  type Command,
  compareOf,
  deleteOf,
  foundMachine,
  JournalBackend,
  putOf,
  rangeOf,
  reopen,
  txnOf,
} from "./machine.fixture.js";
import { decodeRevision } from "./mvcc/revision-key.js";
import { shownKv } from "./operations.fixture.js";
import { RowReader } from "./rows.js";
import type { KvBytes, OpOutcome, Outcome } from "./types.js";

const rule = "----";
const everything = new Uint8Array(0);

/** The script with the outputs of this machine. */
export function runScript(script: string): string {
  const state = new ScriptState();
  const blocks = script.split(/\n\n+/).map((block) => {
    const lines = block.trimEnd().split("\n");
    const end = lines.indexOf(rule);
    if (end < 0) return block.trimEnd();
    const input = lines.slice(0, end);
    const commands = input.filter((line) => !line.startsWith("#"));
    return [...input, rule, ...state.run(commands)].join("\n");
  });
  return `${blocks.join("\n\n")}\n`;
}

class ScriptState {
  #backend = new JournalBackend();
  #machine = foundMachine(this.#backend);

  run(lines: readonly string[]): string[] {
    if (lines[0] === "txn") return this.#txn(lines.slice(1));
    return lines.flatMap((line) => this.#one(line));
  }

  #one(line: string): string[] {
    const [name = "", ...args] = line.split(" ");
    const { kv } = this.#machine;
    const number = Number(args[0] ?? 0);
    switch (name) {
      case "compact":
        return this.#apply({
          $case: "compaction",
          value: { revision: BigInt(number), physical: false },
        });
      case "step": {
        const revision = BigInt(kv.compactRevision());
        this.#apply({ $case: "compact_step", value: { revision, rows_max: number } });
        return [`finished ${kv.finishedCompactRevision()}`];
      }
      case "grant":
        return this.#apply({ $case: "lease_grant", value: { ID: BigInt(number), TTL: 60n } });
      case "revoke":
        return this.#apply({ $case: "lease_revoke", value: { ID: BigInt(number) } });
      case "hash":
        return [this.#hash(number)];
      case "history":
        return this.#history(number, Number(args[1]));
      case "rows":
        return this.#rows();
      case "restart":
        this.#backend = this.#backend.image(this.#backend.writes.length);
        this.#machine = reopen(this.#backend);
        return [`revision ${this.#machine.kv.revision()}`];
      case "get":
        return this.#get(line);
      default:
        return this.#apply(commandOf(opOf(line)));
    }
  }

  #apply(command: Command): string[] {
    const { outcome, revision } = applyCommand(this.#machine, command);
    if (outcome instanceof KvError) return [`error ${outcome.message}`];
    return [...shownOutcome(outcome), `revision ${revision}`];
  }

  #get(line: string): string[] {
    const op = opOf(line);
    if (op.$case !== "request_range") throw new Error(line);
    try {
      return shownOutcome(this.#machine.kv.range(op.value));
    } catch (error) {
      if (error instanceof KvError) return [`error ${error.message}`];
      throw error;
    }
  }

  #txn(lines: readonly string[]): string[] {
    const compare: Compare[] = [];
    const success: RequestOp[] = [];
    const failure: RequestOp[] = [];
    for (const line of lines) {
      const [, word, rest = ""] = /^(if|then|else) (.*)$/.exec(line) ?? [];
      if (word === "if") compare.push(compareFrom(rest));
      else if (word === "then") success.push({ request: opOf(rest) });
      else if (word === "else") failure.push({ request: opOf(rest) });
      else throw new Error(line);
    }
    return this.#apply({ $case: "txn", value: txnOf({ compare, success, failure }) });
  }

  #hash(revision: number): string {
    try {
      const result = this.#machine.kv.hashKv(revision).step(1e9);
      return `hash ${result?.hash} compacted ${result?.compactRevision} at ${result?.hashRevision}`;
    } catch (error) {
      if (error instanceof KvError) return `error ${error.message}`;
      throw error;
    }
  }

  #history(from: number, to: number): string[] {
    const told: string[] = [];
    try {
      this.#machine.kv.history({ from, to, revisionsMax: 1e9 }, ({ revision, events }) => {
        for (const { type, kv, isCreate } of events) {
          const kind = type === "put" && isCreate ? "create" : type;
          told.push(`${revision} ${kind} ${shownText(kv)}`);
        }
      });
    } catch (error) {
      if (error instanceof KvError) return [`error ${error.message}`];
      throw error;
    }
    return told;
  }

  #rows(): string[] {
    const rows: string[] = [];
    new RowReader(this.#backend).scan(Bucket.key, { from: everything }, (key, value) => {
      const { main, sub, isTombstone } = decodeRevision(key);
      rows.push(`${main}/${sub}${isTombstone ? "t" : ""} ${shownText(value)}`);
      return true;
    });
    return rows;
  }
}

function commandOf(op: NonNullable<RequestOp["request"]>): Command {
  if (op.$case === "request_put") return { $case: "put", value: op.value };
  if (op.$case === "request_delete_range") return { $case: "delete_range", value: op.value };
  throw new Error(`${op.$case} is no command of its own`);
}

/** Reads one put, del or get. */
function opOf(line: string): NonNullable<RequestOp["request"]> {
  const [name, first = "", ...rest] = line.split(" ").map(unescaped);
  const options = new Map(rest.map((word) => word.split("=", 2) as [string, string | undefined]));
  const bigOf = (option: string): bigint => BigInt(options.get(option) ?? 0);
  const end = rest.find((word) => !/^[a-z-]{4,}(=|$)|^(prev|rev=)/.test(word)) ?? "";
  if (name === "put") {
    const [key = "", value = ""] = first.split("=", 2);
    const value_ = putOf(key, value, {
      lease: bigOf("lease"),
      prev_kv: options.has("prev"),
      ignore_value: options.has("ignore-value"),
      ignore_lease: options.has("ignore-lease"),
    });
    return { $case: "request_put", value: value_ };
  }
  if (name === "del") {
    return { $case: "request_delete_range", value: deleteOf(first, end, options.has("prev")) };
  }
  if (name !== "get") throw new Error(`unknown command: ${line}`);
  const [order = "", target = "key"] = (options.get("sort") ?? "").split(":");
  const value = rangeOf(first, end, {
    revision: bigOf("rev"),
    limit: bigOf("limit"),
    sort_order: Math.max(0, ["", "asc", "desc"].indexOf(order)),
    sort_target: ["key", "version", "create", "mod", "value"].indexOf(target),
    keys_only: options.has("keys-only"),
    count_only: options.has("count-only"),
    min_mod_revision: bigOf("min-mod"),
    max_mod_revision: bigOf("max-mod"),
    min_create_revision: bigOf("min-create"),
    max_create_revision: bigOf("max-create"),
  });
  return { $case: "request_range", value };
}

function compareFrom(line: string): Compare {
  const [, target = "", key = "", end = "", sign = "", wanted = ""] =
    /^(\w+)\((\S+?)(?: (\S+))?\) (!?[=<>]) ?(.*)$/.exec(line) ?? [];
  const targets = ["version", "create", "mod", "value", "lease"];
  const cases = ["version", "create_revision", "mod_revision", "value", "lease"] as const;
  const $case = cases[targets.indexOf(target)];
  if ($case === undefined) throw new Error(line);
  return compareOf(unescaped(key), {
    range_end: bytes(unescaped(end)),
    result: ["=", ">", "<", "!="].indexOf(sign),
    target: targets.indexOf(target),
    target_union:
      $case === "value" ? { $case, value: bytes(wanted) } : { $case, value: BigInt(wanted) },
  });
}

function shownOutcome(outcome: Outcome | OpOutcome, indent = ""): string[] {
  const lines = (kvs: readonly KvBytes[]): string[] => kvs.map((kv) => indent + shownText(kv));
  switch (outcome.kind) {
    case "range":
      return [
        ...lines(outcome.kvs),
        `${indent}count ${outcome.count}${outcome.more ? ", more" : ""}`,
      ];
    case "put":
      return outcome.prevKv === undefined ? [] : lines([outcome.prevKv]);
    case "deleteRange":
      return [...lines(outcome.prevKvs), `${indent}deleted ${outcome.deleted}`];
    case "txn":
      return [
        `${indent}${outcome.succeeded ? "succeeded" : "failed"}`,
        ...outcome.responses.flatMap((each) => [
          `${indent}- ${each.outcome.kind} at ${each.revision}`,
          ...shownOutcome(each.outcome, `${indent}  `),
        ]),
      ];
    default:
      return [];
  }
}

function shownText(kv: KvBytes): string {
  const { key, value, create, mod, version, lease } = shownKv(kv);
  const name = key.replaceAll("\0", "\\0").replaceAll("\xff", "\\xff");
  if (version === 0) return mod === 0 ? name : `${name} mod ${mod}`;
  const of = lease === 0n ? "" : ` lease ${lease}`;
  return `${name}=${value} create ${create} mod ${mod} version ${version}${of}`;
}

function unescaped(word: string): string {
  return word.replaceAll("\\0", "\0").replaceAll("\\xff", "\xff");
}
