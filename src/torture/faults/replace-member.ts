/** Does what an operator does with a member that lost its disk: removes it, and adds it anew. */
import type { Clock } from "../../platform/clock.js";
import {
  MemberAddRequest,
  MemberListResponse,
  MemberPromoteRequest,
  MemberRemoveRequest,
} from "../../wire/gen/rpc.js";
import { pauseFor } from "../pause.js";
import type { Connection, Stage } from "../ports.js";

const cluster = "/etcdserverpb.Cluster/";
const callMs = 5_000;
const withinMs = 60_000;
const pollMs = 200;

/**
 * Replaces a member whose files are gone. Resolves when it serves again. @throws if no other member
 * takes the change for a minute, or the member does not start
 */
export async function replaceMember(options: {
  readonly clock: Clock;
  readonly stage: Stage;
  readonly member: string;
  /** Adds it as a learner, and promotes it when it has caught up. */
  readonly asLearner?: boolean;
}): Promise<void> {
  const { clock, stage, member, asLearner = false } = options;
  const other = stage.members.find((one) => one !== member) as string;
  const connection = stage.connect(other);
  try {
    await until(clock, `${member} is removed and added`, () =>
      removedAndAdded(connection, stage, { member, asLearner }),
    );
    stage.willJoin(member);
    await stage.start(member);
    if (asLearner) {
      await until(clock, `${member} is promoted`, () =>
        promoted(connection, stage.peerUrl(member)),
      );
    }
  } finally {
    connection.close();
  }
}

/** The error, or undefined: it has a vote. Also after a promotion whose answer was lost. */
async function promoted(connection: Connection, url: string): Promise<string | undefined> {
  const listed = await connection.call(`${cluster}MemberList`, new Uint8Array(0), callMs);
  if (listed.kind === "failed") return listed.text;
  const { members } = MemberListResponse.decode(listed.bytes);
  const learner = members.find(({ peerURLs }) => peerURLs.includes(url));
  if (learner === undefined) return "it is not in the list of members";
  if (!learner.isLearner) return undefined;
  const request = MemberPromoteRequest.encode({ ID: learner.ID }).finish();
  const result = await connection.call(`${cluster}MemberPromote`, request, callMs);
  return result.kind === "failed" ? result.text : undefined;
}

/**
 * Removes the member and adds it. If the answer to a change was lost, the next member list shows
 * whether it happened. Returns the error, or undefined.
 */
async function removedAndAdded(
  connection: Connection,
  stage: Stage,
  { member, asLearner }: { readonly member: string; readonly asLearner: boolean },
): Promise<string | undefined> {
  const listed = await connection.call(`${cluster}MemberList`, new Uint8Array(0), callMs);
  if (listed.kind === "failed") return listed.text;
  const { members } = MemberListResponse.decode(listed.bytes);
  const url = stage.peerUrl(member);
  const old = members.find(({ peerURLs }) => peerURLs.includes(url));
  if (old !== undefined && old.name === "") return undefined;
  const request =
    old === undefined
      ? MemberAddRequest.encode({ peerURLs: [url], isLearner: asLearner }).finish()
      : MemberRemoveRequest.encode({ ID: old.ID }).finish();
  const path = `${cluster}${old === undefined ? "MemberAdd" : "MemberRemove"}`;
  const changed = await connection.call(path, request, callMs);
  if (changed.kind === "failed") return changed.text;
  return old === undefined ? undefined : "it is removed, and not added yet";
}

async function until(
  clock: Clock,
  what: string,
  attempt: () => Promise<string | undefined>,
): Promise<void> {
  const endMs = clock.now() + withinMs;
  for (;;) {
    const error = await attempt();
    if (error === undefined) return;
    if (clock.now() > endMs) throw new Error(`not within a minute: ${what}: ${error}`);
    await pauseFor(clock, pollMs);
  }
}
