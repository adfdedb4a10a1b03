/** `txn`: three paragraphs on standard input - comparisons, requests if they hold, requests if not. */
import type { TxnRequest } from "../../wire/gen/rpc.js";
import { printTxn } from "./answers.js";
import type { CtlCommand, Invocation } from "./command.js";
import { CtlFailure, exitCodes, refuseArguments } from "./failure.js";
import { standardInputLines } from "./standard-input.js";
import { parseComparison, parseRequest } from "./txn-lines.js";

export const txnCommand: CtlCommand = {
  name: "txn",
  usage: "[flags]",
  help: "do several requests in one transaction, read from standard input",
  flags: [
    {
      name: "interactive",
      short: "i",
      kind: "boolean",
      initial: "false",
      help: "say what to enter",
    },
  ],
  run: txn,
};

async function txn({ args, flags, client, out }: Invocation): Promise<void> {
  if (args.length > 0) refuseArguments("txn command does not accept argument");
  out.mustBe("simple", "json", "fields");
  const prompt = (text: string): void => {
    if (flags.boolean("interactive")) out.line(text);
  };
  const lines = standardInputLines();
  prompt("compares:");
  const compare = await paragraph(lines, parseComparison);
  prompt("success requests (get, put, del):");
  const success = await paragraph(lines, parseRequest);
  prompt("failure requests (get, put, del):");
  const failure = await paragraph(lines, parseRequest);
  const request: TxnRequest = { compare, success, failure };
  printTxn(out, await client.call("txn", request));
}

/** Lines up to an empty one. @throws CtlFailure, also when the input ends first */
async function paragraph<T>(
  lines: AsyncIterator<string>,
  parse: (line: string) => T,
): Promise<T[]> {
  const parsed: T[] = [];
  for (;;) {
    const next = await lines.next();
    if (next.done === true) throw new CtlFailure(exitCodes.badInput, "EOF");
    const line = next.value.trim();
    if (line === "") return parsed;
    parsed.push(parse(line));
  }
}
