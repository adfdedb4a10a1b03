/**
 * Three members with a seed of known keys, a trickle of writes at those that stay healthy, and judged
 * reads at the one that is damaged. `end` holds every acknowledged write against history on all
 * members, compares their HashKV, and removes everything.
 */
import { Load } from "../crash/load.js";
import { compareHashes } from "../crash/rounds.js";
import { Cluster, type ClusterMember } from "../support/cluster.js";
import { SeededRng } from "../support/seeded-rng.js";
import { eventually, noteOf } from "./incident.js";
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
export const damagedPlace = 37;

export class Stage {
  readonly cluster: Cluster;
  readonly seed: Seed;
  /** Who is written to now. */
  readonly #targets: { members: ClusterMember[] } = { members: [] };
  readonly #load: Load;
  #reader: Reader | undefined;
  /** Answers no linearizable reads. */
  #learner: ClusterMember | undefined;

  private constructor(cluster: Cluster, options: StageOptions) {
    this.cluster = cluster;
    this.seed = new Seed(options);
    const { writers = 4, paceMs = 20 } = options;
    this.#load = new Load(this.#targets, { writers, paceMs, rng: new SeededRng(1) });
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

  /** A fourth member that does not vote and has caught up. */
  async addLearner(): Promise<ClusterMember> {
    const { cluster } = this;
    const leader = await cluster.leader();
    const known = cluster.members.map((member) => `${member.name}=${member.peerUrl}`);
    const learner = await cluster.plan();
    // Not before all have been connected for a while, as in etcd.
    await eventually("a learner may be added", async () => {
      await leader.client.memberAdd({ peerURLs: [learner.peerUrl], isLearner: true });
      return true;
    });
    learner.plan.initialCluster = [...known, `${learner.name}=${learner.peerUrl}`].join(",");
    learner.plan.initialState = "existing";
    await learner.start();
    const applied = async (of: ClusterMember): Promise<bigint> =>
      (await of.client.status({})).raftAppliedIndex;
    this.#learner = learner;
    const reached = await applied(leader);
    await eventually("the learner has caught up", async () => (await applied(learner)) >= reached);
    return learner;
  }

  others(member: ClusterMember): ClusterMember[] {
    return this.cluster.members.filter((other) => other !== member);
  }

  /** Writes at all but `suspect`, reads of seed keys at `suspect`, until `settle`. */
  play(suspect: ClusterMember): { readonly load: Load; readonly reader: Reader } {
    this.#targets.members = this.others(suspect);
    this.#load.start();
    const reader = new Reader(suspect, this.seed, damagedPlace);
    this.#reader = reader;
    reader.start();
    return { load: this.#load, reader };
  }

  /** @throws if a write was lost, or members differ, or one is still in quarantine */
  async settle(): Promise<void> {
    await this.#load.pause();
    await this.#reader?.stop();
    for (const member of this.cluster.members) {
      const note = noteOf(member);
      if (note !== undefined) throw new Error(`${member.name} in quarantine: ${note.reason}`);
    }
    await Promise.all(this.cluster.members.map(({ client }) => client.reconnected()));
    const members = this.cluster.members.filter((member) => member !== this.#learner);
    await compareHashes({ members }, await this.#load.verify(this.cluster.first));
  }

  async dispose(): Promise<void> {
    await this.#load.pause();
    await this.#reader?.stop();
    await this.cluster.dispose();
  }
}
