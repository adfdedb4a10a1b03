/**
 * Three members with a seed of known keys, a trickle of writes at those that stay healthy, and judged
 * reads at the one that is damaged. `end` holds every acknowledged write against history on all
 * members, compares their HashKV, and removes everything.
 */
import { Load } from "../crash/load.js";
import { compareHashes } from "../crash/torture.js";
import { Cluster, type ClusterMember } from "../support/cluster.js";
import { SeededRng } from "../support/seeded-rng.js";
import { noteOf } from "./incident.js";
import { Reader } from "./reader.js";
import { Seed, type SeedOptions } from "./seed.js";

export interface StageOptions extends SeedOptions {
  readonly size?: number;
  readonly flags?: readonly string[];
  readonly writers?: number;
  /** Between two writes of one writer. */
  readonly paceMs?: number;
}

export const small: SeedOptions = { count: 300, valueBytes: (place) => 64 + (place % 7) * 300 };
/** What is damaged. */
export const damagedPlace = 137;

export class Stage {
  readonly cluster: Cluster;
  readonly seed: Seed;
  readonly #options: StageOptions;
  #load: Load | undefined;
  #reader: Reader | undefined;

  private constructor(cluster: Cluster, options: StageOptions) {
    this.cluster = cluster;
    this.seed = new Seed(options);
    this.#options = options;
  }

  static async set(options: StageOptions): Promise<Stage> {
    const { size = 3, flags = [] } = options;
    const cluster = await Cluster.start({ kind: "lockstep", size, flags });
    const stage = new Stage(cluster, options);
    try {
      await stage.seed.write((await cluster.leader()).client);
    } catch (cause) {
      await cluster.dispose();
      throw cause;
    }
    return stage;
  }

  async follower(): Promise<ClusterMember> {
    const leader = await this.cluster.leader();
    return this.cluster.members.find((member) => member !== leader) as ClusterMember;
  }

  others(member: ClusterMember): ClusterMember[] {
    return this.cluster.members.filter((other) => other !== member);
  }

  /** Writes at all but `suspect`, reads of seed keys at `suspect`. */
  play(suspect: ClusterMember): { readonly load: Load; readonly reader: Reader } {
    const members = this.others(suspect);
    const { writers = 4, paceMs = 20 } = this.#options;
    const load = new Load({ members }, { writers, paceMs, rng: new SeededRng(1) });
    this.#load = load;
    load.start();
    const reader = new Reader(suspect, this.seed, damagedPlace);
    this.#reader = reader;
    reader.start();
    return { load, reader };
  }

  /** @throws if a write was lost, or members differ, or one is still in quarantine */
  async settle(load: Load, reader: Reader): Promise<void> {
    await load.pause();
    await reader.stop();
    const revisions: number[] = [];
    for (const member of this.cluster.members) {
      const note = noteOf(member);
      if (note !== undefined) throw new Error(`${member.name} in quarantine: ${note.reason}`);
    }
    revisions.push(await load.verify(this.cluster.first));
    await compareHashes(this.cluster, Math.max(...revisions));
  }

  async dispose(): Promise<void> {
    await this.#load?.pause();
    await this.#reader?.stop();
    await this.cluster.dispose();
  }
}
