/**
 * Writes answers in one of etcdctl's formats: simple (bytes as they are), json, fields, table. What
 * a command cannot show in the format asked for is refused before anything is sent to the server.
 */
import type { KeyValue } from "../../wire/gen/kv.js";
import type { ResponseHeader } from "../../wire/gen/rpc.js";
import { CtlFailure, exitCodes } from "./failure.js";
import { hexText, quoted } from "./go-text.js";

export type Format = "simple" | "json" | "fields" | "table";

const formats: readonly string[] = ["simple", "json", "fields", "table"];
const lineFeed = Buffer.from("\n");

/** Strings are quoted, numbers and booleans are not. */
export type FieldValue = string | number | bigint | boolean | Uint8Array;

export class Printer {
  readonly format: Format;
  readonly isHex: boolean;
  readonly #write: (bytes: Uint8Array | string) => void;

  /** @throws CtlFailure */
  constructor(
    format: string,
    options: { readonly isHex: boolean; readonly write: (bytes: Uint8Array | string) => void },
  ) {
    if (!formats.includes(format)) {
      throw new CtlFailure(exitCodes.badFeature, "unsupported output format");
    }
    this.format = format as Format;
    this.isHex = options.isHex;
    this.#write = options.write;
  }

  /** @throws CtlFailure unless the format is one of these */
  mustBe(...possible: readonly Format[]): void {
    if (possible.includes(this.format)) return;
    throw new CtlFailure(exitCodes.badFeature, `${this.format} not supported as output format`);
  }

  line(text = ""): void {
    this.#write(`${text}\n`);
  }

  text(text: string): void {
    this.#write(text);
  }

  /** A key or value on a line of its own. */
  bytes(bytes: Uint8Array): void {
    if (this.isHex) return this.line(hexText(bytes));
    this.#write(Buffer.concat([bytes, lineFeed]));
  }

  keyAndValue(kv: KeyValue): void {
    this.bytes(kv.key);
    this.bytes(kv.value);
  }

  /** "Name" : value */
  field(name: string, value: FieldValue): void {
    const isText = typeof value === "string" || value instanceof Uint8Array;
    this.line(`"${name}" : ${isText ? quoted(value) : value}`);
  }

  headerFields(header: ResponseHeader | undefined): void {
    this.field("ClusterID", header?.cluster_id ?? 0n);
    this.field("MemberID", header?.member_id ?? 0n);
    this.field("Revision", header?.revision ?? 0n);
    this.field("RaftTerm", header?.raft_term ?? 0n);
  }

  keyValueFields(kv: KeyValue, prefix = ""): void {
    this.field(`${prefix}Key`, kv.key);
    this.field(`${prefix}CreateRevision`, kv.create_revision);
    this.field(`${prefix}ModRevision`, kv.mod_revision);
    this.field(`${prefix}Version`, kv.version);
    this.field(`${prefix}Value`, kv.value);
    this.field(`${prefix}Lease`, kv.lease);
  }
}
