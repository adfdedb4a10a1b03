/**
 * Reads at one member, one after the other and each judged: right, wrong, or refused. Seed keys must
 * have their one value; a range over all of them must hold every one. In turn linearizable,
 * serializable, and a count.
 */
import { isServiceError } from "../support/client.js";
import type { ClusterMember } from "../support/cluster.js";
import type { Seed } from "./seed.js";

export interface Judged {
  right: number;
  wrong: number;
  refused: number;
  /** What the wrong answers were, the first few. */
  readonly lies: string[];
  readonly refusals: Map<string, number>;
}

const liesMax = 5;
const pauseMs = 5;

export class Reader {
  readonly judged: Judged = { right: 0, wrong: 0, refused: 0, lies: [], refusals: new Map() };
  readonly #member: ClusterMember;
  readonly #seed: Seed;
  /** Read more often than others: what was damaged. */
  readonly #place: number;
  #isRunning = false;
  #reads = 0;
  #loop: Promise<void> | undefined;

  constructor(member: ClusterMember, seed: Seed, place: number) {
    this.#member = member;
    this.#seed = seed;
    this.#place = place;
  }

  start(): void {
    this.#isRunning = true;
    this.#loop = this.#run();
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
    await this.#loop;
  }

  async #run(): Promise<void> {
    while (this.#isRunning) {
      await this.readOnce();
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  /** @returns whether the answer was right; a refusal is not. */
  readOnce(): Promise<boolean> {
    const serializable = this.#reads % 2 === 1;
    return this.#read(this.#reads++ % 8, serializable);
  }

  /** Of what was damaged, linearizable. */
  readDamaged(): Promise<boolean> {
    return this.#read(0, false);
  }

  async #read(turn: number, serializable: boolean): Promise<boolean> {
    const { client } = this.#member;
    try {
      if (turn === 7) {
        const all = { key: this.#seed.key(0), range_end: Buffer.from("s0"), count_only: true };
        const { count } = await client.range({ ...all, serializable }, { timeoutMs: 3_000 });
        return this.#judge(Number(count) === this.#seed.count, `count ${count}`);
      }
      const place = turn < 4 ? this.#place : (this.#reads * 7_919) % this.#seed.count;
      const key = this.#seed.key(place);
      const { kvs } = await client.range({ key, serializable }, { timeoutMs: 3_000 });
      const value = Buffer.from(kvs[0]?.value ?? []);
      const isRight = kvs.length === 1 && value.equals(this.#seed.value(place));
      return this.#judge(isRight, `${key}: ${kvs.length} rows, ${value.subarray(0, 40)}`);
    } catch (error) {
      if (!isServiceError(error)) throw error;
      this.judged.refused++;
      const { refusals } = this.judged;
      refusals.set(error.details, (refusals.get(error.details) ?? 0) + 1);
      return false;
    }
  }

  #judge(isRight: boolean, shown: string): boolean {
    if (isRight) this.judged.right++;
    else {
      this.judged.wrong++;
      if (this.judged.lies.length < liesMax) this.judged.lies.push(shown);
    }
    return isRight;
  }
}
