/**
 * A disk that says of each sync that it has ended, and keeps nothing; then the power fails. What the
 * member wrote since the beginning is gone, although it acknowledged entries and votes for it.
 *
 * No sync has to be caught for that: the files as they were at the beginning take the place of the
 * newer ones once the process is killed. So it reaches the backend, too, which LMDB writes by itself.
 */
import type { Clock } from "../../platform/clock.js";
import { type LostWrites, type Stage, StartRefused } from "../ports.js";
import { replaceMember } from "./replace-member.js";
import { servedRevision } from "./served-revision.js";

interface Scene {
  readonly clock: Clock;
  readonly stage: Stage;
  readonly victims: readonly string[];
  readonly variant: number;
  note(text: string): void;
}

const parts: readonly LostWrites[] = ["all", "log", "backend", "blocks"];
const serveMs = 60_000;

/**
 * Resolves to the end of the fault. That throws if a member whose disk lost all of its newer writes
 * does not start: then nothing on it is wrong, only old.
 */
export async function lyingDisk(scene: Scene): Promise<() => Promise<void>> {
  const { stage, victims, variant, note } = scene;
  for (const member of victims) stage.pause(member);
  for (const member of victims) stage.disks?.keep(member);
  for (const member of victims) stage.resume(member);
  const lost = parts[variant % parts.length] as LostWrites;
  return async () => {
    await Promise.all(victims.map((member) => stage.kill(member)));
    for (const member of victims) note(`${member}: ${stage.disks?.loseWrites(member, lost)}`);
    await othersServe(scene);
    await Promise.all(victims.map((member) => startOrReplace(scene, member, lost)));
  };
}

/**
 * Waits until each other member answers a read that a quorum confirms, without the victims. Then each
 * of them has all that was acknowledged, and no election can be won without it. Before that, no store
 * can keep what only a disk that lies and one more member had. If the victims are a majority, there
 * is nothing to wait for.
 */
async function othersServe({ clock, stage, victims }: Scene): Promise<void> {
  const others = stage.members.filter((member) => !victims.includes(member));
  if (others.length * 2 <= stage.members.length) return;
  for (const member of others) {
    const how = { clock, withinMs: serveMs, isLocal: false };
    if ((await servedRevision(stage, member, how)) !== undefined) continue;
    throw new Error(`${member} does not serve while ${victims.join(" and ")} are down`);
  }
}

/** A member may refuse what is left of its log or backend. Then its operator replaces it. */
async function startOrReplace(
  { clock, stage, note }: Scene,
  member: string,
  lost: LostWrites,
): Promise<void> {
  try {
    await stage.start(member);
  } catch (error) {
    if (!(error instanceof StartRefused) || lost === "all") throw error;
    note(`${member} refuses to start, and is replaced`);
    stage.disks?.wipe(member);
    await replaceMember({ clock, stage, member });
  }
}
