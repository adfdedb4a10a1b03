/**
 * Work for one slow worker, taken turn by turn from each user's own queue. So a flood of logins
 * under one name delays the logins under other names by one job each.
 */
export interface QueuedJob {
  readonly user: string;
  /** True if nobody waits for the result any more: the queue then drops the job without work. */
  isOver(): boolean;
  /** Starts the work; calls `done` at its end. */
  run(done: () => void): void;
}

export class FairQueue {
  readonly #jobsMax: number;
  /** The jobs of each user, in order of arrival. The user whose turn it is comes first. */
  readonly #users = new Map<string, QueuedJob[]>();
  #size = 0;
  #isBusy = false;

  constructor(jobsMax: number) {
    this.#jobsMax = jobsMax;
  }

  /** Returns false if too many jobs wait; the job is not taken then. */
  add(job: QueuedJob): boolean {
    if (this.#size >= this.#jobsMax) this.#dropOver();
    if (this.#size >= this.#jobsMax) return false;
    const own = this.#users.get(job.user);
    if (own === undefined) this.#users.set(job.user, [job]);
    else own.push(job);
    this.#size++;
    this.#runNext();
    return true;
  }

  #runNext(): void {
    if (this.#isBusy) return;
    for (;;) {
      const job = this.#take();
      if (job === undefined) return;
      if (job.isOver()) continue;
      this.#isBusy = true;
      job.run(() => {
        this.#isBusy = false;
        this.#runNext();
      });
      return;
    }
  }

  #take(): QueuedJob | undefined {
    for (const [user, jobs] of this.#users) {
      const job = jobs.shift();
      this.#users.delete(user);
      if (jobs.length > 0) this.#users.set(user, jobs);
      if (job === undefined) continue;
      this.#size--;
      return job;
    }
    return undefined;
  }

  #dropOver(): void {
    this.#size = 0;
    for (const [user, jobs] of this.#users) {
      const kept = jobs.filter((job) => !job.isOver());
      this.#size += kept.length;
      if (kept.length === 0) this.#users.delete(user);
      else this.#users.set(user, kept);
    }
  }
}
