/**
 * Makes one RPC of a request of the gateway: JSON objects come in, and the answers go out as JSON
 * text.
 */
import { fromJson, toBinary } from "@bufbuild/protobuf";
import { Code } from "../base/errors.js";
import type { Status } from "../grpc/call.js";
import type { LocalRequest, LocalStreamCall, LocalUnaryCall } from "../grpc/local/local-call.js";
import type { LocalServer } from "../grpc/local/local-server.js";
import type { Clock } from "../platform/clock.js";
import { AnswerPump, type TextOutput } from "./answer-pump.js";
import type { RpcMessages } from "./descriptors.js";
import { errorBody, errorLine } from "./http-status.js";
import { JsonObjects, type JsonText, parseJson } from "./json-reader.js";
import { JsonWriter } from "./json-writer.js";

export interface BridgeParts {
  readonly server: LocalServer;
  readonly clock: Clock;
  /** The most bytes of an encoded request message. */
  readonly requestBytesMax: number;
}

/** The client's side. No function here may throw. */
export interface BridgeOutput extends TextOutput {
  /** Called before anything was written: the whole answer is this error, with this body. */
  refuse(status: Status, body: string): void;
  /** Called on streams: whether to read on what the client sends, or to wait until it has read. */
  wantsInput(isWanted: boolean): void;
}

export class CallBridge {
  readonly #parts: BridgeParts;
  readonly #path: string;
  readonly #messages: RpcMessages;
  readonly #request: LocalRequest;
  readonly #output: BridgeOutput;
  readonly #objects: JsonObjects;
  readonly #pump: AnswerPump;
  readonly #isUnary: boolean;
  #call: LocalUnaryCall | LocalStreamCall | undefined;
  #hasAnswered = false;
  #isOver = false;

  constructor(
    parts: BridgeParts,
    path: string,
    messages: RpcMessages,
    request: LocalRequest,
    output: BridgeOutput,
  ) {
    this.#parts = parts;
    this.#path = path;
    this.#messages = messages;
    this.#request = request;
    this.#output = output;
    this.#isUnary = parts.server.kindOf(path) === "unary";
    this.#objects = new JsonObjects(jsonBytesMax(parts.requestBytesMax));
    this.#pump = new AnswerPump(output, parts.clock, () => {
      if (this.#call !== undefined && "drained" in this.#call) this.#call.drained();
      if (this.#pump.isIdle) this.#output.wantsInput(true);
    });
  }

  /** Bytes that this call holds and that no other part has taken yet. */
  get heldBytes(): number {
    return this.#objects.length;
  }

  /** Takes a part of the client's text. */
  receive(part: Buffer): void {
    if (this.#isOver || (this.#isUnary && this.#call !== undefined)) return;
    try {
      for (const text of this.#objects.read(part)) {
        this.#take(text);
        if (this.#isOver || this.#isUnary) return;
      }
    } catch (error) {
      this.#refuseInput(error);
    }
    // Else a client that reads nothing could ask for answers without end.
    if (!this.#isOver && !this.#isUnary && !this.#pump.isIdle) this.#output.wantsInput(false);
  }

  /** Call when the client will send no more. */
  inputEnded(): void {
    if (this.#isOver) return;
    if (this.#objects.isAmid) {
      this.#end({ code: Code.invalidArgument, message: "unexpected EOF" });
    } else if (this.#isUnary) {
      if (this.#call === undefined) this.receive(Buffer.from("{}"));
    } else {
      this.#stream().halfClose();
    }
  }

  /** Call when the client has gone. */
  cancel(): void {
    this.#isOver = true;
    this.#pump.stop();
    this.#call?.cancel();
  }

  drained(): void {
    this.#pump.drained();
  }

  #take(text: JsonText): void {
    const { input } = this.#messages;
    const json = parseJson(text);
    const message = toBinary(input, fromJson(input, json, { ignoreUnknownFields: true }));
    const { requestBytesMax, server } = this.#parts;
    if (message.length > requestBytesMax) {
      this.#end(tooLarge(message.length, requestBytesMax));
    } else if (!this.#isUnary) {
      this.#stream().write(message);
    } else {
      // The server may answer before it returns.
      const call = server.unary(this.#path, message, this.#request, this.#sink());
      this.#call = call;
    }
  }

  #stream(): LocalStreamCall {
    const known = this.#call as LocalStreamCall | undefined;
    if (known !== undefined) return known;
    const call = this.#parts.server.stream(this.#path, this.#request, this.#sink());
    this.#call = call;
    return call;
  }

  #sink(): { message(message: Uint8Array): boolean; end(status: Status | undefined): void } {
    return {
      message: (message) => {
        if (this.#isOver) return false;
        this.#hasAnswered = true;
        const json = new JsonWriter(this.#messages.output, message);
        if (this.#isUnary) return this.#pump.add({ before: "", json, after: "" });
        return this.#pump.add({ before: '{"result":', json, after: "}\n" });
      },
      end: (status) => this.#end(status),
    };
  }

  #refuseInput(error: unknown): void {
    if (error instanceof RangeError && this.#objects.length > 0) {
      const { requestBytesMax } = this.#parts;
      this.#end(tooLarge(this.#objects.length, requestBytesMax));
    } else {
      const message = error instanceof Error ? error.message : String(error);
      this.#end({ code: Code.invalidArgument, message });
    }
    this.#call?.cancel();
  }

  #end(status: Status | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (!this.#isUnary) this.#output.wantsInput(true);
    if (status === undefined) {
      this.#pump.end();
    } else if (!this.#hasAnswered) {
      this.#pump.stop();
      this.#output.refuse(status, this.#isUnary ? errorBody(status) : errorLine(status));
    } else {
      // The error's line comes behind the answers that wait.
      this.#pump.add({ before: errorLine(status), json: undefined, after: "" });
      this.#pump.end();
    }
  }
}

/**
 * How long the JSON of a request may be. Base64 takes four characters for three bytes; names and
 * numbers take some more.
 */
export function jsonBytesMax(requestBytesMax: number): number {
  return Math.ceil(requestBytesMax * 1.5) + 64 * 1024;
}

function tooLarge(bytes: number, bytesMax: number): Status {
  const message = `grpc: received message larger than max (${bytes} vs. ${bytesMax})`;
  return { code: Code.resourceExhausted, message };
}
