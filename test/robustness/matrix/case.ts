/** One case of the matrix, and what several of them do. */
import * as damage from "../damage.js";
import type { Scene } from "./scene.js";

export interface Case {
  readonly name: string;
  /** Cases with the same number of members follow each other on one cluster. */
  readonly members: 1 | 2 | 3 | "learner";
  readonly at: "follower" | "leader" | "learner";
  strike(scene: Scene): Promise<void>;
  /** The cluster cannot be used for another case. */
  readonly isLast?: boolean;
}

/** The suspect's backend in use. */
export const file = (scene: Scene): string => damage.backendFile(scene.suspect.dataDir);

/** A bit flip under the running suspect, and a read of it. */
export async function flipRunning(scene: Scene): Promise<void> {
  scene.mark();
  damage.flipByte(file(scene), scene.needle);
  await scene.read();
}

/** Entries that push the log of all members past what they keep. */
export const entriesPastLog = 3_000;
