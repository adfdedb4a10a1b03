/**
 * Calls this server's own services in the name of the caller of another one: with the same token
 * and the same deadline. The lock and election services use it, as a client would use gRPC.
 */
import type { Call, Status } from "../../grpc/call.js";
import type { LocalRequest } from "../../grpc/local/local-call.js";
import type { LocalServer } from "../../grpc/local/local-server.js";
import type { Member } from "../../member/types.js";
import type { Event } from "../../wire/gen/kv.js";
import { WatchRequest, WatchResponse } from "../../wire/gen/rpc.js";
import { callCanceled, innerStatus, refuse, statusOf } from "../status.js";

/** An inner call has ended with this status; the outer call ends with the same. */
export class CallError extends Error {
  readonly status: Status;

  constructor(status: Status) {
    super(status.message);
    this.status = status;
  }
}

/** Ends the outer call with the error that ended its work. */
export function endWith(member: Member, call: Call, error: unknown): void {
  refuse(call, error instanceof CallError ? error.status : statusOf(member.requestFailed(error)));
}

interface Rpc<Request, Response> {
  readonly path: string;
  readonly request: { encode(message: Request): { finish(): Uint8Array } };
  readonly response: { decode(message: Uint8Array): Response };
}

export class InnerClient {
  readonly #server: LocalServer;
  readonly #call: Call;
  readonly #onCancel = new Set<() => void>();
  #isCanceled = false;

  constructor(server: LocalServer, call: Call) {
    this.#server = server;
    this.#call = call;
    call.onCancel(() => {
      this.#isCanceled = true;
      for (const fn of [...this.#onCancel]) fn();
    });
  }

  /** True if the outer call's client has gone, or its deadline has passed. */
  get isCanceled(): boolean {
    return this.#isCanceled;
  }

  /**
   * A client for work that must be done even after the caller has gone. It has 5 s, and the
   * caller's token.
   */
  afterwards(): Pick<InnerClient, "unary"> {
    const request = { ...this.#request(), timeoutMs: 5_000 };
    return { unary: (rpc, message) => this.#unary(rpc, message, request, new Set()) };
  }

  /** Makes a unary call. Rejects with CallError. */
  unary<Request, Response>(rpc: Rpc<Request, Response>, message: Request): Promise<Response> {
    if (this.#isCanceled) return Promise.reject(new CallError(callCanceled));
    return this.#unary(rpc, message, this.#request(), this.#onCancel);
  }

  /**
   * Passes the events of a range from this revision on to `isEnough` until that returns true. Then
   * resolves. Also resolves when the store cannot show this history any more: the caller reads
   * again. Rejects with CallError.
   */
  watch(
    range: { readonly key: Uint8Array; readonly rangeEnd: Uint8Array },
    fromRevision: bigint,
    isEnough: (event: Event) => boolean,
  ): Promise<void> {
    if (this.#isCanceled) return Promise.reject(new CallError(callCanceled));
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        this.#onCancel.delete(stop);
        stream.cancel();
        reject(new CallError(callCanceled));
      };
      const stream = this.#server.stream("/etcdserverpb.Watch/Watch", this.#request(), {
        message: (bytes) => {
          const { canceled: isOver, events } = WatchResponse.decode(bytes);
          if (!isOver && !events.some(isEnough)) return true;
          resolve();
          stop();
          return false;
        },
        end: (status) => {
          this.#onCancel.delete(stop);
          if (status === undefined) resolve();
          else reject(new CallError(innerStatus(status)));
        },
      });
      this.#onCancel.add(stop);
      stream.write(watchRequest(range.key, range.rangeEnd, fromRevision));
    });
  }

  #request(): LocalRequest {
    const { timeoutMs, certificate } = this.#call;
    return { metadata: (name) => this.#call.metadata(name), timeoutMs, certificate };
  }

  #unary<Request, Response>(
    rpc: Rpc<Request, Response>,
    message: Request,
    request: LocalRequest,
    onCancel: Set<() => void>,
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        onCancel.delete(stop);
        call.cancel();
        reject(new CallError(callCanceled));
      };
      onCancel.add(stop);
      const body = rpc.request.encode(message).finish();
      const call = this.#server.unary(rpc.path, body, request, {
        message: (bytes) => {
          resolve(rpc.response.decode(bytes));
          return true;
        },
        end: (status) => {
          onCancel.delete(stop);
          if (status !== undefined) reject(new CallError(innerStatus(status)));
        },
      });
    });
  }
}

function watchRequest(key: Uint8Array, rangeEnd: Uint8Array, fromRevision: bigint): Uint8Array {
  const create_request = {
    key: Buffer.from(key),
    range_end: Buffer.from(rangeEnd),
    start_revision: fromRevision,
    progress_notify: false,
    filters: [],
    prev_kv: false,
    watch_id: 0n,
    fragment: false,
  };
  const request_union = { $case: "create_request" as const, value: create_request };
  return WatchRequest.encode({ request_union }).finish();
}
