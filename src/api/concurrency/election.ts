/**
 * etcd's election service. A candidate is a key under the election's name, tied to a lease; its
 * value is the candidate's. The oldest of these keys names the leader.
 */
import type { Method } from "../../grpc/call.js";
import type { LocalServer } from "../../grpc/local/local-server.js";
import type { Member } from "../../member/types.js";
import {
  CampaignRequest,
  CampaignResponse,
  type LeaderKey,
  LeaderRequest,
  LeaderResponse,
  ProclaimRequest,
  ProclaimResponse,
  ResignRequest,
  ResignResponse,
} from "../../wire/gen/election.js";
import type { ResponseHeader } from "../../wire/gen/rpc.js";
import { serve } from "../serve.js";
import type { InnerClient } from "./inner-client.js";
import { observing } from "./observe.js";
import { deleteOp, firstCreated, isCreatedAt, putOp, rangeRpc, txnRpc } from "./requests.js";
import { enterLine, folderOf, promised, refuseWaiter, waitForTurn } from "./waiting-line.js";

export function electionMethods(member: Member, server: LocalServer): Method[] {
  return serve(member, "v3electionpb.Election", {
    Campaign: promised(member, server, CampaignRequest, async (client, asked) =>
      CampaignResponse.encode(await campaign(client, asked)).finish(),
    ),
    Proclaim: promised(member, server, ProclaimRequest, async (client, asked) => {
      const header = await proclaim(client, required(asked.leader), asked.value);
      return ProclaimResponse.encode({ header }).finish();
    }),
    Leader: promised(member, server, LeaderRequest, async (client, { name }) => {
      const { header, kvs } = await client.unary(rangeRpc, firstCreated(folderOf(name)));
      const kv = kvs[0] ?? refuseWaiter("election: no leader");
      return LeaderResponse.encode({ header, kv }).finish();
    }),
    Resign: promised(member, server, ResignRequest, async (client, { leader }) => {
      const header = await resign(client, required(leader));
      return ResignResponse.encode({ header }).finish();
    }),
    Observe: observing(member, server, folderOf),
  });
}

function required(leader: LeaderKey | undefined): LeaderKey {
  return leader ?? refuseWaiter('"leader" field must be provided');
}

async function campaign(client: InnerClient, request: CampaignRequest): Promise<CampaignResponse> {
  const folder = folderOf(request.name);
  const { header, key, lease, known, revision: rev } = await enterLine(client, folder, request);
  const leader = { name: request.name, key, rev, lease };
  try {
    // The same candidate comes again with another value: its key gets that value.
    if (known !== undefined && !known.value.equals(request.value)) {
      await proclaim(client, leader, request.value);
    }
    await waitForTurn(client, folder, rev);
  } catch (error) {
    await resign(client.afterwards(), leader);
    throw error;
  }
  return { header, leader };
}

async function proclaim(
  client: Pick<InnerClient, "unary">,
  { key, rev, lease }: LeaderKey,
  value: Buffer,
): Promise<ResponseHeader | undefined> {
  const { header, succeeded } = await client.unary(txnRpc, {
    compare: [isCreatedAt(key, rev)],
    success: [putOp(key, value, lease)],
    failure: [],
  });
  if (!succeeded) refuseWaiter("election: not leader");
  return header;
}

async function resign(
  client: Pick<InnerClient, "unary">,
  { key, rev }: LeaderKey,
): Promise<ResponseHeader | undefined> {
  const { header } = await client.unary(txnRpc, {
    compare: [isCreatedAt(key, rev)],
    success: [deleteOp(key)],
    failure: [],
  });
  return header;
}
