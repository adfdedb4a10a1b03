/**
 * etcd's lock service. A lock is a key that its holder creates under the lock's name, tied to a
 * lease. The oldest key holds the lock until it is deleted.
 */
import type { Method } from "../../grpc/call.js";
import type { LocalServer } from "../../grpc/local/local-server.js";
import type { Member } from "../../member/types.js";
import { LockRequest, LockResponse, UnlockRequest, UnlockResponse } from "../../wire/gen/lock.js";
import type { ResponseHeader } from "../../wire/gen/rpc.js";
import { serve } from "../serve.js";
import type { InnerClient } from "./inner-client.js";
import {
  deleteOf,
  deleteRpc,
  firstCreated,
  firstKeyOf,
  rangeOfKey,
  rangeOp,
  rangeRpc,
} from "./requests.js";
import { enterLine, folderOf, promised, refuseWaiter, waitForTurn } from "./waiting-line.js";

export function lockMethods(member: Member, server: LocalServer): Method[] {
  return serve(member, "v3lockpb.Lock", {
    Lock: promised(member, server, LockRequest, async (client, request) =>
      LockResponse.encode(await lock(client, request)).finish(),
    ),
    Unlock: promised(member, server, UnlockRequest, async (client, { key }) => {
      const { header } = await client.unary(deleteRpc, deleteOf(key));
      return UnlockResponse.encode({ header }).finish();
    }),
  });
}

interface Held {
  readonly header: ResponseHeader | undefined;
  readonly key: Buffer;
}

async function lock(client: InnerClient, request: LockRequest): Promise<Held> {
  const folder = folderOf(request.name);
  // A second lock with the same lease is the same lock.
  const { header, key, revision, beside } = await enterLine(client, folder, {
    ...{ lease: request.lease, value: Buffer.alloc(0) },
    besides: rangeOp(firstCreated(folder)),
  });
  const holder = firstKeyOf(beside);
  if (holder === undefined || holder.create_revision === revision) return { header, key };
  try {
    await waitForTurn(client, folder, revision);
  } catch (error) {
    // A caller that gives up must not keep the others waiting.
    await client.afterwards().unary(deleteRpc, deleteOf(key));
    throw error;
  }
  const held = await client.unary(rangeRpc, rangeOfKey(key));
  if (held.kvs.length === 0) refuseWaiter("mutex: session is expired");
  return { header: held.header, key };
}
