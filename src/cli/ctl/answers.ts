/** Answers of the key-value calls in each format; commands and transactions print them. */
import type { KeyValue } from "../../wire/gen/kv.js";
import type {
  DeleteRangeResponse,
  PutResponse,
  RangeResponse,
  ResponseOp,
  TxnResponse,
} from "../../wire/gen/rpc.js";
import { messageJson } from "./go-text.js";
import type { Printer } from "./printer.js";

/** Which half of a key and value the simple format shows. */
export type Shown = "both" | "keys" | "values";

export function printPut(out: Printer, answer: PutResponse): void {
  if (out.format === "json") return out.line(messageJson(answer));
  if (out.format === "fields") {
    out.headerFields(answer.header);
    if (answer.prev_kv !== undefined) out.keyValueFields(answer.prev_kv, "Prev");
    return;
  }
  out.line("OK");
  if (answer.prev_kv !== undefined) out.keyAndValue(answer.prev_kv);
}

export function printRange(out: Printer, answer: RangeResponse, shown: Shown = "both"): void {
  if (out.format === "json") return out.line(messageJson(answer));
  if (out.format === "fields") {
    out.headerFields(answer.header);
    for (const kv of answer.kvs) out.keyValueFields(kv);
    out.field("More", answer.more);
    out.field("Count", answer.count);
    return;
  }
  for (const kv of answer.kvs) printKeyValue(out, kv, shown);
}

function printKeyValue(out: Printer, kv: KeyValue, shown: Shown): void {
  if (shown !== "values") out.bytes(kv.key);
  if (shown === "keys") out.line();
  else out.bytes(kv.value);
}

export function printDelete(out: Printer, answer: DeleteRangeResponse): void {
  if (out.format === "json") return out.line(messageJson(answer));
  if (out.format === "fields") {
    out.headerFields(answer.header);
    out.field("Deleted", answer.deleted);
    for (const kv of answer.prev_kvs) out.keyValueFields(kv, "Prev");
    return;
  }
  out.line(answer.deleted.toString());
  for (const kv of answer.prev_kvs) out.keyAndValue(kv);
}

export function printTxn(out: Printer, answer: TxnResponse): void {
  if (out.format === "json") return out.line(messageJson(answer));
  if (out.format === "fields") {
    out.headerFields(answer.header);
    out.field("Succeeded", answer.succeeded);
  } else {
    out.line(answer.succeeded ? "SUCCESS" : "FAILURE");
  }
  for (const { response } of answer.responses) {
    if (out.format === "simple") out.line();
    printResponse(out, response);
  }
}

function printResponse(out: Printer, response: ResponseOp["response"]): void {
  switch (response?.$case) {
    case "response_put":
      return printPut(out, response.value);
    case "response_range":
      return printRange(out, response.value);
    case "response_delete_range":
      return printDelete(out, response.value);
    case "response_txn":
      return printTxn(out, response.value);
    default:
      return;
  }
}
