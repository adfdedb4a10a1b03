/**
 * The waiting line of lock and election. Each client creates a key in one folder. The client whose
 * key has the lowest create revision has its turn, and every other one waits for the key before its
 * own to be deleted.
 */
import type { UnaryCall } from "../../grpc/call.js";
import type { LocalServer } from "../../grpc/local/local-server.js";
import type { Member } from "../../member/types.js";
import { Event_EventType, type KeyValue } from "../../wire/gen/kv.js";
import type { RequestOp, ResponseHeader, ResponseOp } from "../../wire/gen/rpc.js";
import { decodeFor, unknownStatus } from "../status.js";
import { CallError, endWith, InnerClient } from "./inner-client.js";
import {
  firstKeyOf,
  grantRpc,
  isCreatedAt,
  lastCreatedUntil,
  putOp,
  rangeOfKey,
  rangeOp,
  rangeRpc,
  txnRpc,
} from "./requests.js";

/** Time to live of a lease that the server makes for a caller who brings none. */
const leaseSeconds = 60n;
const nothing = Buffer.alloc(0);

/** Runs a service written with promises as the handler of a unary method. */
export function promised<Request>(
  member: Member,
  server: LocalServer,
  type: { decode(message: Uint8Array): Request },
  run: (client: InnerClient, request: Request) => Promise<Uint8Array>,
): (message: Uint8Array, call: UnaryCall) => void {
  return (message, call) => {
    const request = decodeFor(call, type, message);
    if (request === undefined) return;
    run(new InnerClient(server, call), request).then(
      (answer) => call.respond(answer),
      (error: unknown) => endWith(member, call, error),
    );
  };
}

/** @throws CallError with code Unknown, as etcd has it */
export function refuseWaiter(message: string): never {
  throw new CallError(unknownStatus(message));
}

/** The folder of the keys that clients create under a name: the name and "/". */
export function folderOf(name: Buffer): Buffer {
  return Buffer.concat([name, Buffer.from("/")]);
}

/** A caller's place in the line. */
export interface LinePlace {
  /** Of the answer that created the key, or found it. */
  readonly header: ResponseHeader | undefined;
  /** The caller's own key in the folder: the lease's number in hexadecimal. */
  readonly key: Buffer;
  readonly lease: bigint;
  /** The create revision of `key`, which orders the line. */
  readonly revision: bigint;
  /** The key as an earlier call with the same lease left it. Undefined: this call created it. */
  readonly known: KeyValue | undefined;
  /** The answer to `besides`. */
  readonly beside: ResponseOp | undefined;
}

/**
 * Creates the caller's key in the folder, if its lease has none there yet. Makes a lease if none is
 * given (0n). `besides` is asked in the same transaction.
 */
export async function enterLine(
  client: InnerClient,
  folder: Buffer,
  wish: { readonly lease: bigint; readonly value: Buffer; readonly besides?: RequestOp },
): Promise<LinePlace> {
  const lease = await leaseFor(client, wish.lease);
  const key = Buffer.concat([folder, Buffer.from(BigInt.asUintN(64, lease).toString(16))]);
  const besides = wish.besides === undefined ? [] : [wish.besides];
  const { header, succeeded, responses } = await client.unary(txnRpc, {
    compare: [isCreatedAt(key, 0n)],
    success: [putOp(key, wish.value, lease), ...besides],
    failure: [rangeOp(rangeOfKey(key)), ...besides],
  });
  const known = succeeded ? undefined : firstKeyOf(responses[0]);
  const revision = known?.create_revision ?? header?.revision ?? 0n;
  return { header, key, lease, revision, known, beside: responses[1] };
}

/** Returns the caller's lease, or a new one. */
async function leaseFor(client: InnerClient, given: bigint): Promise<bigint> {
  if (given !== 0n) return given;
  return (await client.unary(grantRpc, { ID: 0n, TTL: leaseSeconds })).ID;
}

/** Resolves when no key of the folder is left that was created before this revision. */
export async function waitForTurn(
  client: InnerClient,
  folder: Buffer,
  ownRevision: bigint,
): Promise<void> {
  for (;;) {
    const { header, kvs } = await client.unary(
      rangeRpc,
      lastCreatedUntil(folder, ownRevision - 1n),
    );
    const [before] = kvs;
    if (before === undefined) return;
    const from = (header?.revision ?? 0n) + 1n;
    const range = { key: before.key, rangeEnd: nothing };
    await client.watch(range, from, ({ type }) => type === Event_EventType.DELETE);
  }
}
