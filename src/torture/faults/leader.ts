/** Who leads, as the members say it. */
import { StatusResponse } from "../../wire/gen/rpc.js";
import type { Stage } from "../ports.js";

const callMs = 500;

/** In a plan: the member that leads when the fault begins. */
export const leaderPlace = "leader";

/** The first member if nobody says who leads. */
export async function currentLeader(stage: Stage): Promise<string> {
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
    if (leader !== 0n) leaders.push(leader);
  }
  const named = leaders.map((id) => names.get(id)).find((name) => name !== undefined);
  return named ?? (stage.members[0] as string);
}
