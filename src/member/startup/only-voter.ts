/**
 * `--force-new-cluster`: a majority is gone for good, and the operator makes one member the whole
 * cluster, with the data that it has. As in etcd, the member writes changes of the membership to the
 * end of its own log, as committed: its own promotion if it is a learner, and the removal of every
 * other member. Applying them makes it the only voter. The others count as removed from then on, so
 * they are refused if they come back.
 *
 * etcd drops what is behind the last known commit. Here the whole log stays, and counts as committed:
 * a write that the old cluster acknowledged may stand there.
 */
import { StartError } from "../../base/errors.js";
import type { Platform } from "../../platform/platform.js";
import { type Entry, EntryType } from "../../raft/types.js";
import { ConfChangeRequest, ConfChangeRequest_Type as Type } from "../../wire/gen/internal.js";
import { encodeChange } from "../cluster/membership.js";
import type { Change } from "../gate/requests.js";
import type { Restarted } from "./restart.js";

const nobody = { id: 0, proposer: 0n };

/** Calls `done` once: when the changes are durable, or with the reason why they cannot be. */
export function becomeOnlyVoter(
  platform: Pick<Platform, "log">,
  booted: Restarted,
  done: (result: Restarted | Error) => void,
): void {
  const { memberId, log, wal, hardState } = booted;
  const refusal = refusalOf(booted);
  if (refusal !== undefined) {
    wal.close();
    booted.backend.close(() => {});
    done(new StartError(refusal));
    return;
  }
  const changes = changesOf(booted);
  if (changes.length === 0) {
    platform.log("warn", "--force-new-cluster: this member is the only one already", {});
    done(booted);
    return;
  }
  const first = log.lastIndex() + 1;
  const entries = changes.map((change, at): Entry => {
    const data = encodeChange(change, nobody);
    return { index: first + at, term: hardState.term, type: EntryType.confChange, data };
  });
  const committed = { ...hardState, commit: first + entries.length - 1 };
  platform.log("warn", "forcing a new cluster: this member becomes its only voter", {
    "local-member-id": memberId.toString(16),
    "removed-member-ids": changes
      .filter(({ type }) => type === Type.REMOVE)
      .map(({ node_id }) => node_id.toString(16))
      .join(","),
    "kept-entries": log.lastIndex() - hardState.commit,
  });
  wal.onFailure(done);
  log.append(entries);
  const batch = { entries, hardState: committed, snapshot: undefined, mustSync: true };
  wal.append(batch, () => done({ ...booted, hardState: committed }));
}

function refusalOf({ quarantine, machine, memberId }: Restarted): string | undefined {
  const advice = "Force another member that has its data, or restore a backup";
  if (quarantine !== undefined) {
    return `--force-new-cluster: the state of this member is wrong (${quarantine.reason}), and no other could heal it. ${advice} (docs/operations/lost-majority.md)`;
  }
  if (machine.cluster.member(memberId) === undefined) {
    return `--force-new-cluster: this member does not belong to the cluster of its own data: it was removed, or had not joined yet. ${advice} (docs/operations/lost-majority.md)`;
  }
  return undefined;
}

/** The promotion comes first: a cluster never has no voter. */
function changesOf(booted: Restarted): readonly Change[] {
  const { machine, memberId } = booted;
  const isLearner = machine.cluster.member(memberId)?.isLearner === true;
  const others = new Set(machine.cluster.members().map(({ id }) => id));
  for (const id of addedIn(booted)) if (!machine.cluster.isRemoved(id)) others.add(id);
  others.delete(memberId);
  const promotion: readonly Change[] = isLearner
    ? [{ type: Type.ADD_VOTER, node_id: memberId, promote: true, member: undefined }]
    : [];
  const removals = [...others].map(
    (id): Change => ({ type: Type.REMOVE, node_id: id, promote: false, member: undefined }),
  );
  return [...promotion, ...removals];
}

/** Ids of members that are added by log entries which the state has not applied yet. */
function addedIn({ log, machine }: Restarted): readonly bigint[] {
  const added: bigint[] = [];
  const from = Math.max(log.firstIndex(), machine.appliedIndex + 1);
  for (let index = from; index <= log.lastIndex(); index++) {
    const entry = log.entries(index, index + 1, Number.MAX_SAFE_INTEGER)?.[0];
    if (entry?.type !== EntryType.confChange) continue;
    const { type, node_id } = ConfChangeRequest.decode(entry.data);
    if (type === Type.ADD_VOTER || type === Type.ADD_LEARNER) added.push(node_id);
  }
  return added;
}
