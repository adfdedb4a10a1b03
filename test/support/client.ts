/**
 * A thin etcd client for tests: one channel of @grpc/grpc-js to one endpoint and the generated
 * codecs, nothing between. No retry, no balancing, no cache: a test sees what the server answered,
 * as a typed message or as a `ServiceError` with code and text. Requests may leave out fields.
 */
import * as grpc from "@grpc/grpc-js";
import { authClientMethods } from "../../src/cli/ctl/auth/methods.js";
import { type ClientMethod, type Codec, complete, methods } from "../../src/cli/ctl/method.js";
import * as rpc from "../../src/wire/gen/rpc.js";

/** Every unary RPC by the name under which the client offers it. */
export const unaryMethods = {
  range: methods.range,
  put: methods.put,
  deleteRange: methods.deleteRange,
  txn: methods.txn,
  compact: methods.compact,
  leaseGrant: methods.grant,
  leaseRevoke: methods.revoke,
  leaseTimeToLive: methods.timeToLive,
  leases: methods.leases,
  memberAdd: methods.memberAdd,
  memberRemove: methods.memberRemove,
  memberUpdate: methods.memberUpdate,
  memberList: methods.memberList,
  memberPromote: methods.memberPromote,
  alarm: methods.alarm,
  status: methods.status,
  defragment: methods.defragment,
  hash: {
    path: "/etcdserverpb.Maintenance/Hash",
    request: rpc.HashRequest as Codec<rpc.HashRequest>,
    response: rpc.HashResponse as Codec<rpc.HashResponse>,
  },
  hashKv: methods.hashKv,
  moveLeader: methods.moveLeader,
  userAdd: authClientMethods.userAdd,
  userGet: authClientMethods.userGet,
  userList: authClientMethods.userList,
  userGrantRole: authClientMethods.userGrantRole,
  roleAdd: authClientMethods.roleAdd,
  roleGet: authClientMethods.roleGet,
  roleGrantPermission: authClientMethods.roleGrant,
} as const;
export type UnaryName = keyof typeof unaryMethods;
type RequestOf<N extends UnaryName> =
  (typeof unaryMethods)[N] extends ClientMethod<infer Q, infer _R> ? Q : never;
export type ResponseOf<N extends UnaryName> =
  (typeof unaryMethods)[N] extends ClientMethod<infer _Q, infer R> ? R : never;

export interface CallOptions {
  /** Default 15 s. */
  readonly timeoutMs?: number;
}
type UnaryCalls = {
  [N in UnaryName]: (
    request: Partial<RequestOf<N>>,
    options?: CallOptions,
  ) => Promise<ResponseOf<N>>;
};
type Answered<R> = (error: grpc.ServiceError | null, response: R | undefined) => void;

const CHANNEL_OPTIONS: grpc.ChannelOptions = {
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
  "grpc.enable_retries": 0,
  "grpc.use_local_subchannel_pool": 1,
  "grpc.initial_reconnect_backoff_ms": 50,
  "grpc.min_reconnect_backoff_ms": 50,
  "grpc.max_reconnect_backoff_ms": 200,
  "grpc.enable_http_proxy": 0,
};

class ClientBase {
  readonly endpoint: string;
  readonly channel: grpc.Client;
  constructor(endpoint: string) {
    this.endpoint = endpoint;
    this.channel = new grpc.Client(endpoint, grpc.credentials.createInsecure(), CHANNEL_OPTIONS);
  }

  /** The callback form of every unary call, for loads where a promise for each would count. */
  call<N extends UnaryName>(
    name: N,
    request: RequestOf<N>,
    options: CallOptions,
    done: Answered<ResponseOf<N>>,
  ): void {
    const {
      path,
      request: codec,
      response,
    } = unaryMethods[name] as unknown as ClientMethod<RequestOf<N>, ResponseOf<N>>;
    this.channel.makeUnaryRequest(
      path,
      (message: RequestOf<N>) => Buffer.from(codec.encode(message).finish()),
      (bytes: Buffer) => response.decode(bytes),
      request,
      new grpc.Metadata(),
      { deadline: Date.now() + (options.timeoutMs ?? 15_000) },
      done,
    );
  }

  /** A new watch stream; messages are whole. */
  watchStream(): grpc.ClientDuplexStream<rpc.WatchRequest, rpc.WatchResponse> {
    return this.channel.makeBidiStreamRequest(
      "/etcdserverpb.Watch/Watch",
      (message: rpc.WatchRequest) => Buffer.from(rpc.WatchRequest.encode(message).finish()),
      (bytes: Buffer) => rpc.WatchResponse.decode(bytes),
    );
  }
  keepAliveStream(): grpc.ClientDuplexStream<
    rpc.LeaseKeepAliveRequest,
    rpc.LeaseKeepAliveResponse
  > {
    return this.channel.makeBidiStreamRequest(
      "/etcdserverpb.Lease/LeaseKeepAlive",
      (message: rpc.LeaseKeepAliveRequest) =>
        Buffer.from(rpc.LeaseKeepAliveRequest.encode(message).finish()),
      (bytes: Buffer) => rpc.LeaseKeepAliveResponse.decode(bytes),
    );
  }
  snapshotStream(): grpc.ClientReadableStream<rpc.SnapshotResponse> {
    return this.channel.makeServerStreamRequest(
      "/etcdserverpb.Maintenance/Snapshot",
      (message: rpc.SnapshotRequest) => Buffer.from(rpc.SnapshotRequest.encode(message).finish()),
      (bytes: Buffer) => rpc.SnapshotResponse.decode(bytes),
      {},
    );
  }
  /** Resolves when the channel is connected (again). */
  reconnected(timeoutMs = 10_000): Promise<void> {
    return new Promise((resolve, reject) => {
      this.channel.waitForReady(Date.now() + timeoutMs, (error) =>
        error === undefined ? resolve() : reject(error),
      );
    });
  }
  close(): void {
    this.channel.close();
  }
}

for (const name of Object.keys(unaryMethods) as UnaryName[]) {
  const codec = unaryMethods[name].request as unknown as Codec<object>;
  Object.defineProperty(ClientBase.prototype, name, {
    value(this: ClientBase, fields: object, options: CallOptions = {}): Promise<unknown> {
      return new Promise((resolve, reject) => {
        const request = complete(codec, fields) as RequestOf<typeof name>;
        this.call(name, request, options, (error, response) => {
          if (error === null) resolve(response);
          else reject(error);
        });
      });
    },
  });
}

export type EtcdClient = ClientBase & UnaryCalls;
export const EtcdClient = ClientBase as unknown as new (endpoint: string) => EtcdClient;

export function bytes(text: string): Buffer {
  return Buffer.from(text, "latin1");
}
export function isServiceError(value: unknown): value is grpc.ServiceError {
  return value instanceof Error && "code" in value && "details" in value;
}
