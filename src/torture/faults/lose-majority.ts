/**
 * Gives all members but the leader older files, as a restore of disk images does: what was
 * acknowledged since then is lost, and no store can prevent that. But the member that still has it
 * must not serve it beside a leader that lacks it.
 */
import type { Clock } from "../../platform/clock.js";
import type { Stage } from "../ports.js";
import { currentLeader, moveLeader } from "./leader.js";
import { replaceMember } from "./replace-member.js";
import { servedRevision } from "./served-revision.js";

interface Scene {
  readonly clock: Clock;
  readonly stage: Stage;
  note(text: string): void;
}

const serveMs = 60_000;
/** More terms than the kept member can have begun while it was stopped. */
const newTerms = 5;
/** The member has this long to answer although it must not. */
const refuseMs = 8_000;

/** Resolves to the end of the fault, which throws if a member serves what its leader lacks. */
export async function loseMajority({ clock, stage, note }: Scene): Promise<() => Promise<void>> {
  const kept = await currentLeader(stage);
  const others = stage.members.filter((member) => member !== kept);
  for (const member of others) {
    await stage.stop(member);
    stage.disks?.keep(member);
    await stage.start(member);
  }
  return async () => {
    await Promise.all(stage.members.map((member) => stage.kill(member)));
    for (const member of others) stage.disks?.rollBack(member);
    await Promise.all(others.map((member) => stage.start(member)));
    note(`${others.join(" and ")} have older files; ${kept} keeps its own`);
    // Once the others have a leader, what only this member has is lost.
    const other = others[0] as string;
    const revision = await servedRevision(stage, other, {
      clock,
      withinMs: serveMs,
      isLocal: false,
    });
    if (revision === undefined) throw new Error(`${other} does not serve with its older files`);
    // They forgot terms, too. With the higher one the kept member could win an election, and its
    // log would be mixed with theirs where terms are the same.
    for (let term = 0; term < newTerms; term++) {
      await moveLeader(stage, others[term % others.length] as string);
    }
    await stage.start(kept);
    const served = await servedRevision(stage, kept, { clock, withinMs: refuseMs, isLocal: true });
    if (served !== undefined) {
      throw new Error(
        `${kept} serves a state up to revision ${served} that its leader's log does not have: ${others.join(" and ")} went on from revision ${revision} without it`,
      );
    }
    note(`${kept} answers nothing, and is replaced`);
    await stage.kill(kept);
    stage.disks?.wipe(kept);
    await replaceMember({ clock, stage, member: kept });
  };
}
