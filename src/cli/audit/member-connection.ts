/**
 * One member's calls for the auditor, on a channel of its own, so that each answer is that
 * member's. It repeats a call only to get a new token, and never asks for anything that changes
 * data. With a user, fetching the token writes one entry to the log; nothing else writes.
 */
import * as grpc from "@grpc/grpc-js";
import { type ErrorReason, reasonOfText } from "../../base/errors.js";
import { authClientMethods } from "../ctl/auth/methods.js";
import { type ClientMethod, complete, methods } from "../ctl/method.js";
import type { Access } from "./audit-flags.js";

const lastTryMs = 200;

/** A call that failed: the member's text, and its gRPC code. */
export class CallFailure extends Error {
  override readonly name = "CallFailure";
  /** The reason that belongs to the text. Undefined: the text is none of etcd's known ones. */
  readonly reason: ErrorReason | undefined;
  constructor(
    message: string,
    readonly code: grpc.status,
  ) {
    super(message);
    this.reason = reasonOfText(message);
  }
}

export class MemberConnection {
  readonly endpoint: string;
  readonly #access: Access;
  readonly #client: grpc.Client;
  #token: string | undefined;

  constructor(endpoint: string, access: Access) {
    this.endpoint = endpoint;
    this.#access = access;
    const address = endpoint.replace(/^https?:\/\//, "").replace(/\/$/, "");
    this.#client = new grpc.Client(address, credentialsOf(endpoint, access), {
      "grpc.max_receive_message_length": -1,
      "grpc.enable_retries": 0,
      "grpc.use_local_subchannel_pool": 1,
      "grpc.initial_reconnect_backoff_ms": 200,
      "grpc.max_reconnect_backoff_ms": 5_000,
    });
  }

  /** @throws CallFailure when there is no connection in time */
  async connect(): Promise<void> {
    const isReady = await new Promise<boolean>((resolve) => {
      this.#client.waitForReady(Date.now() + this.#access.dialMs, (error) => {
        resolve(error === undefined);
      });
    });
    // This call fails at once and says why; the wait for the connection does not.
    if (!isReady) await this.#send(methods.status, {}, lastTryMs);
  }

  /** @throws CallFailure */
  async call<N extends "range" | "status" | "hashKv" | "memberList">(
    name: N,
    fields: Parameters<(typeof methods)[N]["request"]["encode"]>[0] extends infer Q
      ? Partial<Q>
      : never,
  ): Promise<ReturnType<(typeof methods)[N]["response"]["decode"]>> {
    type Answer = ReturnType<(typeof methods)[N]["response"]["decode"]>;
    const method = methods[name] as unknown as ClientMethod<object, Answer>;
    if (this.#access.user === undefined) return this.#send(method, fields);
    const isFresh = this.#token === undefined;
    this.#token ??= await this.#login(this.#access.user);
    try {
      return await this.#send(method, fields);
    } catch (error) {
      if (isFresh || !isTokenOld(error)) throw error;
    }
    this.#token = await this.#login(this.#access.user);
    return this.#send(method, fields);
  }

  async #login(user: NonNullable<Access["user"]>): Promise<string> {
    return (await this.#send(authClientMethods.authenticate, user)).token;
  }

  #send<Q, R>(
    { path, request, response }: ClientMethod<Q, R>,
    fields: Partial<Q>,
    timeoutMs = this.#access.commandMs,
  ): Promise<R> {
    const metadata = new grpc.Metadata();
    if (this.#token !== undefined) metadata.set("token", this.#token);
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        path,
        (message: Q) => Buffer.from(request.encode(message).finish()),
        (bytes: Buffer) => response.decode(bytes),
        complete(request, fields),
        metadata,
        { deadline: Date.now() + timeoutMs },
        (error, answer) => {
          if (error === null) resolve(answer as R);
          else reject(new CallFailure(textOf(error), error.code));
        },
      );
    });
  }

  close(): void {
    this.#client.close();
  }
}

function isTokenOld(error: unknown): boolean {
  if (!(error instanceof CallFailure)) return false;
  return error.reason === "invalidAuthToken" || error.reason === "authOldRevision";
}

function textOf({ code, details }: grpc.ServiceError): string {
  return code === grpc.status.DEADLINE_EXCEEDED ? "no answer in time" : details;
}

function credentialsOf(endpoint: string, { tls }: Access): grpc.ChannelCredentials {
  const isPlain =
    endpoint.startsWith("http://") || (tls === undefined && !endpoint.startsWith("https://"));
  if (isPlain) return grpc.credentials.createInsecure();
  if (tls === undefined) return grpc.credentials.createSsl();
  return grpc.credentials.createSsl(tls.ca, tls.key, tls.cert, {
    rejectUnauthorized: !tls.isUnverified,
  });
}
