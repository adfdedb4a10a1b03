/**
 * The calls of `lockstep ctl` over gRPC: one channel per endpoint and the generated codecs. A call
 * goes to the first endpoint that connects, or to a named one. It fails with the server's text as a
 * CtlError. It never repeats a call that the server may have received.
 */
import * as grpc from "@grpc/grpc-js";
import { errorTable } from "../../base/errors.js";
import { connectionText, credentialsOf, type TlsFiles, targetOf } from "../endpoint-tls.js";
import { isBareText, sizeHintOf } from "../grpc-js-texts.js";
import { authClientMethods } from "./auth/methods.js";
import { CtlError } from "./flags.js";
import { type ClientMethod, complete, methods } from "./method.js";

const authNotEnabled: string = errorTable.authNotEnabled[1];

/** No answer came. Another endpoint may give one. */
export class ConnectionLost extends CtlError {}

function failure(error: grpc.ServiceError): CtlError {
  if (error.code === grpc.status.UNAVAILABLE) return new ConnectionLost(error.details);
  if (error.code === grpc.status.DEADLINE_EXCEEDED) {
    return new CtlError("context deadline exceeded");
  }
  return new CtlError(`${error.details}${sizeHintOf(error.details)}`);
}

export interface CtlTimeouts {
  /** Milliseconds that a connection may take. */
  readonly dialMs: number;
  /** Milliseconds that one call may take, once connected. */
  readonly commandMs: number;
}

/** Milliseconds of a last call when no connection came about: it fails at once, and says why. */
const reasonMs = 200;

export interface CtlUser {
  readonly name: string;
  readonly password: string;
}

/** What a client brings besides where it connects. */
export interface CtlIdentity {
  /** For endpoints with https:// or without a scheme; undefined: no flag asks for it. */
  readonly tls?: TlsFiles | undefined;
  /** Logs in before the first call; undefined: calls bring no token. */
  readonly user?: CtlUser | undefined;
  /** Goes with each call; then nobody logs in. */
  readonly token?: string | undefined;
  /** Of each connection: sizes of messages, keepalive, the server's name. */
  readonly channel?: grpc.ChannelOptions;
}

const unlimited: grpc.ChannelOptions = {
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
};

export class CtlClient {
  readonly #user: CtlUser | undefined;
  readonly #token: string | undefined;
  readonly #options: grpc.ChannelOptions;
  #loggedIn: Promise<grpc.Metadata> | undefined;
  readonly endpoints: readonly string[];
  readonly #timeouts: CtlTimeouts;
  readonly #tls: TlsFiles | undefined;
  readonly #channels = new Map<string, grpc.Client>();
  #connected: Promise<grpc.Client> | undefined;

  constructor(endpoints: readonly string[], timeouts: CtlTimeouts, as: CtlIdentity = {}) {
    this.#user = as.user;
    this.#token = as.token;
    this.#options = { ...unlimited, ...as.channel };
    this.endpoints = endpoints;
    this.#timeouts = timeouts;
    this.#tls = as.tls;
  }

  #channel(endpoint: string): grpc.Client {
    let channel = this.#channels.get(endpoint);
    if (channel === undefined) {
      const credentials = credentialsOf(endpoint, this.#tls);
      channel = new grpc.Client(targetOf(endpoint), credentials, this.#options);
      this.#channels.set(endpoint, channel);
    }
    return channel;
  }

  async #ready(endpoint: string): Promise<grpc.Client> {
    const channel = this.#channel(endpoint);
    const isReady = await new Promise<boolean>((resolve) => {
      channel.waitForReady(Date.now() + this.#timeouts.dialMs, (error) =>
        resolve(error === undefined),
      );
    });
    if (!isReady) throw new ConnectionLost(await this.#reasonOf(endpoint, channel));
    return channel;
  }

  /** Why there is no connection. */
  async #reasonOf(endpoint: string, channel: grpc.Client): Promise<string> {
    const details = await new Promise<string>((resolve) => {
      const deadline = Date.now() + reasonMs;
      const asIs = (bytes: Buffer): Buffer => bytes;
      const { path } = methods.status;
      channel.makeUnaryRequest(path, asIs, asIs, Buffer.alloc(0), { deadline }, (error) =>
        resolve(error?.details ?? ""),
      );
    });
    const reason = isBareText(details) ? "no connection in time" : details;
    return `context deadline exceeded: ${connectionText(endpoint, reason)}`;
  }

  /** The channel of the named endpoint, or of the first endpoint that connects. */
  async #pick(endpoint: string | undefined): Promise<grpc.Client> {
    if (endpoint !== undefined) return this.#ready(endpoint);
    this.#connected ??= Promise.any(this.endpoints.map((each) => this.#ready(each)));
    try {
      return await this.#connected;
    } catch (error) {
      const [first] = (error as AggregateError).errors as readonly unknown[];
      this.#connected = undefined;
      if (first instanceof CtlError) throw first;
      throw new CtlError("context deadline exceeded");
    }
  }

  async call<Q, R>(method: ClientMethod<Q, R>, fields: Partial<Q>, endpoint?: string): Promise<R> {
    const channel = await this.#pick(endpoint);
    return this.#ask(channel, method, fields, await this.#metadata());
  }

  /** Makes a call without a limit of time, for calls that wait for other clients. */
  async wait<Q, R>(method: ClientMethod<Q, R>, fields: Partial<Q>): Promise<R> {
    const channel = await this.#pick(undefined);
    return this.#ask(channel, method, fields, await this.#metadata(), Number.POSITIVE_INFINITY);
  }

  /** Metadata with the token of the user. A token is valid at each member. */
  #metadata(): Promise<grpc.Metadata> {
    this.#loggedIn ??= this.#login();
    return this.#loggedIn;
  }

  /** A cluster without auth needs no token. */
  async #login(): Promise<grpc.Metadata> {
    const metadata = new grpc.Metadata();
    if (this.#token !== undefined) metadata.set("token", this.#token);
    if (this.#user === undefined) return metadata;
    const channel = await this.#pick(undefined);
    try {
      const { token } = await this.#ask(
        channel,
        authClientMethods.authenticate,
        this.#user,
        metadata,
      );
      metadata.set("token", token);
    } catch (error) {
      if (!(error instanceof CtlError) || error.message !== authNotEnabled) throw error;
    }
    return metadata;
  }

  #ask<Q, R>(
    channel: grpc.Client,
    { path, request, response }: ClientMethod<Q, R>,
    fields: Partial<Q>,
    metadata: grpc.Metadata,
    patienceMs = this.#timeouts.commandMs,
  ): Promise<R> {
    return new Promise((resolve, reject) => {
      channel.makeUnaryRequest(
        path,
        (message: Q) => Buffer.from(request.encode(message).finish()),
        (bytes: Buffer) => response.decode(bytes),
        complete(request, fields),
        metadata,
        { deadline: Date.now() + patienceMs },
        (error, answer) => {
          if (error !== null) reject(failure(error));
          else resolve(answer as R);
        },
      );
    });
  }

  /** Sends one message on a stream. Yields every answer until the server ends it. */
  async *stream<Q, R>(
    { path, request, response }: ClientMethod<Q, R>,
    fields: Partial<Q>,
  ): AsyncGenerator<R, void> {
    const channel = await this.#pick(undefined);
    const call = channel.makeBidiStreamRequest(
      path,
      (message: Q) => Buffer.from(request.encode(message).finish()),
      (bytes: Buffer) => response.decode(bytes),
      await this.#metadata(),
    );
    call.write(complete(request, fields));
    try {
      for await (const answer of call) yield answer as R;
    } catch (error) {
      // The next stream goes to the next endpoint that connects.
      this.#connected = undefined;
      throw failure(error as grpc.ServiceError);
    } finally {
      call.cancel();
    }
  }

  /** Sends one request. Yields the answers of its stream. */
  async *download<Q, R>(
    { path, request, response }: ClientMethod<Q, R>,
    fields: Partial<Q>,
  ): AsyncGenerator<R, void> {
    const channel = await this.#pick(undefined);
    const call = channel.makeServerStreamRequest(
      path,
      (message: Q) => Buffer.from(request.encode(message).finish()),
      (bytes: Buffer) => response.decode(bytes),
      complete(request, fields),
      await this.#metadata(),
    );
    try {
      for await (const answer of call) yield answer as R;
    } catch (error) {
      throw failure(error as grpc.ServiceError);
    }
  }

  close(): void {
    for (const channel of this.#channels.values()) channel.close();
  }
}
