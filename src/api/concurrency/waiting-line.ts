/**
 * The waiting line of lock and election. Each client creates a key in one folder. The client whose
 * key has the lowest create revision has its turn, and every other one waits for the key before its
 * own to be deleted.
 */
import type { UnaryCall } from "../../grpc/call.js";
import type { LocalServer } from "../../grpc/local/local-server.js";
import type { Member } from "../../member/types.js";
import { Event_EventType } from "../../wire/gen/kv.js";
import { decodeFor, unknownStatus } from "../status.js";
import { CallError, endWith, InnerClient } from "./inner-client.js";
import { grantRpc, lastCreatedUntil, rangeRpc } from "./requests.js";

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

/** The caller's own key in the folder: the lease's number in hexadecimal. */
export function placeOf(folder: Buffer, lease: bigint): Buffer {
  return Buffer.concat([folder, Buffer.from(BigInt.asUintN(64, lease).toString(16))]);
}

/** Returns the caller's lease, or a new one. */
export async function leaseFor(client: InnerClient, given: bigint): Promise<bigint> {
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
