/** A torture client's connection to one member, on a channel of its own. */
import * as grpc from "@grpc/grpc-js";
import type { CallResult, Connection } from "../../torture/ports.js";
import { isUnsentText } from "../grpc-js-texts.js";

const bytesOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes);
const same = (bytes: Buffer): Buffer => bytes;

export function connectTo(address: string): Connection {
  const client = new grpc.Client(address, grpc.credentials.createInsecure(), {
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
    // A repeated request would be one that nobody recorded.
    "grpc.enable_retries": 0,
    "grpc.use_local_subchannel_pool": 1,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.min_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 500,
  });
  return {
    call: (path, request, timeoutMs) =>
      new Promise<CallResult>((resolve) => {
        const options = { deadline: Date.now() + timeoutMs };
        client.makeUnaryRequest(path, bytesOf, same, request, options, (error, answer) => {
          if (error === null) resolve({ kind: "ok", bytes: answer ?? new Uint8Array(0) });
          else resolve(failureOf(error));
        });
      }),
    stream: (path, events) => {
      const call = client.makeBidiStreamRequest(path, bytesOf, same);
      call.on("data", (bytes: Buffer) => events.message(bytes));
      call.on("error", () => events.ended());
      call.on("end", () => events.ended());
      return {
        write: (message) => {
          call.write(message);
        },
        finish: () => {
          call.end();
        },
        setReading: (isReading) => {
          if (isReading) call.resume();
          else call.pause();
        },
        cancel: () => call.cancel(),
      };
    },
    close: () => client.close(),
  };
}

function failureOf({ code, details }: grpc.ServiceError): CallResult {
  return { kind: "failed", code, text: details, isUnsent: code === 14 && isUnsentText(details) };
}
