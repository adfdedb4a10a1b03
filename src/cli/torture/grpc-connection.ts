/** A torture client's connection to one member, on a channel of its own. */
import * as grpc from "@grpc/grpc-js";
import type { CallResult, Connection } from "../../torture/ports.js";
import { credentialsOf, targetOf } from "../endpoint-tls.js";
import { isUnsentText } from "../grpc-js-texts.js";
import { type ClusterAccess, plainAccess, type SharedLogin } from "./cluster-access.js";

const bytesOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes);
const same = (bytes: Buffer): Buffer => bytes;

const unauthenticated = 16;

/**
 * Connects a client to one member.
 *
 * @param endpoint host:port, or a URL
 * @param login whose token each call brings; a stream brings that of the last login
 */
export function connectTo(
  endpoint: string,
  { tls }: ClusterAccess = plainAccess,
  login?: SharedLogin,
): Connection {
  const client = new grpc.Client(targetOf(endpoint), credentialsOf(endpoint, tls), {
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
    // A retry would be a request that the history lacks.
    "grpc.enable_retries": 0,
    "grpc.use_local_subchannel_pool": 1,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.min_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 500,
  });
  return {
    call: async (path, request, timeoutMs) => {
      const failure = await login?.ready();
      if (failure !== undefined) return failure;
      const token = login?.token;
      const result = await unary(client, { path, request, timeoutMs, token });
      if (result.kind === "failed" && result.code === unauthenticated) login?.refused(token);
      return result;
    },
    stream: (path, events) => {
      const token = login?.token;
      const call = client.makeBidiStreamRequest(path, bytesOf, same, metadataOf(token));
      let isEnded = false;
      const ended = (error: string | undefined): void => {
        if (isEnded) return;
        isEnded = true;
        if (error === undefined) events.ended();
        else events.ended(error);
      };
      call.on("data", (bytes: Buffer) => events.message(bytes));
      call.on("error", (error: grpc.ServiceError) => {
        if (error.code === unauthenticated) login?.refused(token);
        ended(error.details);
      });
      call.on("end", () => ended(undefined));
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

function unary(
  client: grpc.Client,
  call: {
    readonly path: string;
    readonly request: Uint8Array;
    readonly timeoutMs: number;
    readonly token: string | undefined;
  },
): Promise<CallResult> {
  const { path, request, timeoutMs, token } = call;
  const options = { deadline: Date.now() + timeoutMs };
  return new Promise((resolve) => {
    client.makeUnaryRequest(
      ...([path, bytesOf, same, request, metadataOf(token), options] as const),
      (error, answer) => {
        if (error === null) resolve({ kind: "ok", bytes: answer ?? new Uint8Array(0) });
        else resolve(failureOf(error));
      },
    );
  });
}

function metadataOf(token: string | undefined): grpc.Metadata {
  const metadata = new grpc.Metadata();
  if (token !== undefined) metadata.set("token", token);
  return metadata;
}

function failureOf({ code, details }: grpc.ServiceError): CallResult {
  return { kind: "failed", code, text: details, isUnsent: code === 14 && isUnsentText(details) };
}
