/** What users have today: one byte of a value flipped under a stopped member of stock etcd 3.5. */
import { join } from "node:path";
import { Cluster } from "../../support/cluster.js";
import { flipByte } from "../damage.js";
import { corruptAlarms } from "../incident.js";
import { Reader } from "../reader.js";
import { Seed } from "../seed.js";
import { damagedPlace, small } from "../stage.js";

const reads = 60;
const pauseMs = 50;

export interface Today {
  readonly reads: number;
  readonly wrong: number;
  readonly alarms: number;
}

export async function etcdToday(): Promise<Today> {
  const cluster = await Cluster.start({ kind: "etcd35", size: 3 });
  try {
    const leader = await cluster.leader();
    const seed = new Seed(small);
    await seed.write(leader.client);
    const suspect = cluster.members.find((member) => member !== leader) ?? leader;
    // bbolt writes what was put within a tenth of a second.
    await new Promise((resolve) => setTimeout(resolve, 500));
    await suspect.stop();
    flipByte(join(suspect.dataDir, "member", "snap", "db"), seed.mark(damagedPlace));
    await suspect.start();
    const reader = new Reader(suspect, seed, damagedPlace);
    let wrong = 0;
    for (let i = 0; i < reads; i++) {
      if (!(await reader.readDamaged())) wrong++;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    return { reads, wrong, alarms: (await corruptAlarms(leader)).length };
  } finally {
    await cluster.dispose();
  }
}
