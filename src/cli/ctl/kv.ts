/** `get`, `put`, `del`, `compaction`. */
import { printDelete, printPut, printRange, type Shown } from "./answers.js";
import { type CtlCommand, type Invocation, truth } from "./command.js";
import { CtlFailure, exitCodes, refuseArguments } from "./failure.js";
import { parseInt64 } from "./go-text.js";
import { delFlags, delRequest, getFlags, getRequest, putFlags, putRequest } from "./requests.js";
import { standardInput } from "./standard-input.js";

export const kvCommands: readonly CtlCommand[] = [
  {
    name: "get",
    usage: "[flags] <key> [range_end]",
    help: "get a key or a range of keys",
    flags: getFlags,
    run: get,
  },
  {
    name: "put",
    usage: "[flags] <key> [value]",
    help: "put a key; without a value, it is what standard input says",
    flags: putFlags,
    run: put,
  },
  {
    name: "del",
    usage: "[flags] <key> [range_end]",
    help: "delete a key or a range of keys",
    flags: delFlags,
    run: del,
  },
  {
    name: "compaction",
    usage: "[flags] <revision>",
    help: "give up the history before a revision",
    flags: [truth("physical", "wait until it is gone from the database")],
    run: compaction,
  },
];

async function get({ args, flags, client, out }: Invocation): Promise<void> {
  const request = getRequest(args, flags);
  const isValueOnly = flags.boolean("print-value-only");
  if (isValueOnly && out.format !== "simple") {
    refuseArguments("print-value-only is only for `--write-out=simple`");
  }
  if (request.count_only && out.format !== "fields") {
    refuseArguments("--count-only is only for `--write-out=fields`");
  }
  out.mustBe("simple", "json", "fields");
  const shown: Shown = isValueOnly ? "values" : request.keys_only ? "keys" : "both";
  printRange(out, await client.call("range", request), shown);
}

async function put({ args, flags, client, out }: Invocation): Promise<void> {
  const readsInput = args.length === 1 && !flags.boolean("ignore-value");
  const input = readsInput ? await standardInput() : undefined;
  const request = putRequest(args, flags, input?.length === 0 ? undefined : input);
  out.mustBe("simple", "json", "fields");
  printPut(out, await client.call("put", request));
}

async function del({ args, flags, client, out }: Invocation): Promise<void> {
  const request = delRequest(args, flags);
  out.mustBe("simple", "json", "fields");
  printDelete(out, await client.call("deleteRange", request));
}

async function compaction({ args, flags, client, out }: Invocation): Promise<void> {
  const [text] = args;
  if (text === undefined || args.length > 1) refuseArguments("compaction command needs 1 argument");
  const revision = parseInt64(text);
  if (revision instanceof Error) throw new CtlFailure(exitCodes.failed, revision.message);
  await client.call("compact", { revision, physical: flags.boolean("physical") });
  out.line(`compacted revision ${revision}`);
}
