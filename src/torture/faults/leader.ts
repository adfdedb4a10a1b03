/** Finds out who leads, as the members say it, and hands leadership over. */
import { MoveLeaderRequest, StatusResponse } from "../../wire/gen/rpc.js";
import type { Stage } from "../ports.js";

const callMs = 500;
const moveMs = 5_000;

/** The name in a plan that stands for the member that leads when the fault begins. */
export const leaderPlace = "leader";

/** The member that leads; the first member if none says who leads. */
export async function currentLeader(stage: Stage): Promise<string> {
  const { names, leader } = await seenMembers(stage);
  return names.get(leader) ?? (stage.members[0] as string);
}

/** Asks the leader to hand over to that member. Returns "done", or an error's text. */
export async function moveLeader(stage: Stage, member: string): Promise<string> {
  const { names, leader } = await seenMembers(stage);
  const target = [...names].find(([, name]) => name === member)?.[0];
  const leading = names.get(leader);
  if (target === undefined || leading === undefined) return "nobody leads, or it does not answer";
  if (leading === member) return "it leads already";
  const connection = stage.connect(leading);
  const request = MoveLeaderRequest.encode({ targetID: target }).finish();
  const path = "/etcdserverpb.Maintenance/MoveLeader";
  const result = await connection.call(path, request, moveMs);
  connection.close();
  return result.kind === "ok" ? "done" : result.text;
}

/** The names, by id, of the members that answer, and which member each calls leader; 0n: none. */
async function seenMembers(stage: Stage): Promise<{
  readonly names: ReadonlyMap<bigint, string>;
  readonly leader: bigint;
}> {
  const names = new Map<bigint, string>();
  const leaders: bigint[] = [];
  for (const member of stage.members) {
    const connection = stage.connect(member);
    const path = "/etcdserverpb.Maintenance/Status";
    const result = await connection.call(path, new Uint8Array(0), callMs);
    connection.close();
    if (result.kind === "failed") continue;
    const { header, leader } = StatusResponse.decode(result.bytes);
    names.set(header?.member_id ?? 0n, member);
    leaders.push(leader);
  }
  return { names, leader: leaders.find((id) => names.has(id)) ?? 0n };
}
