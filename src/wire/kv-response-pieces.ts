/**
 * Large answers of the KV service as pieces that give the message when they are joined. Rows that
 * were gathered as bytes become pieces without a copy. For the rest see kv-response.ts.
 */
import {
  bodyLength,
  nestedLength,
  opTags,
  type SplicedOutcome,
  type SplicedTxn,
  writeBody,
} from "./kv-response.js";
import { delimitedLength, fieldLength, writeDelimiter, writeField } from "./protobuf-writer.js";

/** True if the answer has rows that were gathered as bytes. */
export function isInPieces(outcome: SplicedOutcome): boolean {
  if (outcome.kind === "range" || outcome.kind === "deleteRange") {
    return outcome.encoded !== undefined;
  }
  if (outcome.kind !== "txn") return false;
  return outcome.responses.some((response) => isInPieces(response.outcome));
}

/** The whole message in pieces: `header` as KvResponseEncoder gives it, then the rest. */
export function piecesOf(header: Uint8Array, outcome: SplicedOutcome): Uint8Array[] {
  const pieces = [header];
  addBody(pieces, outcome);
  return pieces;
}

/** The message in pieces, without its header. */
export function bodyPiecesOf(outcome: SplicedOutcome): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  addBody(pieces, outcome);
  return pieces;
}

function addBody(pieces: Uint8Array[], outcome: SplicedOutcome): void {
  if (outcome.kind === "range" && outcome.encoded !== undefined) {
    for (const piece of outcome.encoded.pieces) pieces.push(piece);
    const { more, count } = outcome;
    const rest = { kind: "range", kvs: [], more, count } as const;
    pieces.push(bodyOf(rest));
  } else if (outcome.kind === "deleteRange" && outcome.encoded !== undefined) {
    pieces.push(bodyOf({ kind: "deleteRange", deleted: outcome.deleted, prevKvs: [] }));
    for (const piece of outcome.encoded.pieces) pieces.push(piece);
  } else if (outcome.kind === "txn") {
    const head = new Uint8Array(fieldLength(outcome.succeeded ? 1 : 0));
    writeField(head, 0, 0x10, outcome.succeeded ? 1 : 0);
    pieces.push(head);
    for (const response of outcome.responses) addNested(pieces, response);
  } else {
    pieces.push(bodyOf(outcome));
  }
}

function bodyOf(outcome: SplicedOutcome): Uint8Array {
  const out = new Uint8Array(bodyLength(outcome));
  writeBody(out, 0, outcome);
  return out;
}

function addNested(pieces: Uint8Array[], response: SplicedTxn["responses"][number]): void {
  const { revision, outcome } = response;
  const length = nestedLength(response);
  const headerLength = fieldLength(revision);
  const outer = delimitedLength(length) - length;
  const head = new Uint8Array(
    delimitedLength(delimitedLength(length)) - length + delimitedLength(headerLength),
  );
  let at = writeDelimiter(head, 0, 0x1a, length + outer);
  at = writeDelimiter(head, at, opTags[outcome.kind], length);
  at = writeDelimiter(head, at, 0x0a, headerLength);
  writeField(head, at, 0x18, revision);
  pieces.push(head);
  addBody(pieces, outcome);
}
