/**
 * Divides all long work of a member into turns: decides which job works next, and for how long.
 *
 * One turn serves one client's job, for at most `turnMs`; sockets, timers and consensus run between
 * two turns. Clients take turns, however many jobs each has. Work of the member itself
 * (`background`) gets every fourth turn while clients wait.
 *
 * A job works in steps of a few hundred rows, which look at no clock. So with `turnMs` 0 each turn
 * is one step, and the simulator decides what comes between two steps.
 */
import { invariant } from "../base/invariant.js";
import type { Clock } from "../platform/clock.js";

export interface JobLimits {
  /** Units of state/work.ts for one step. */
  readonly stepUnits: number;
  /** Milliseconds after which a turn ends; it does at least one step. */
  readonly turnMs: number;
}

/** Long work that is done in steps. */
export interface SlicedWork {
  /**
   * Works on for about so many rows. "wait": it can do nothing until its handle is woken. The work
   * owns its errors and must not throw.
   */
  step(units: number): "more" | "wait" | "over";
}

export interface JobHandle {
  /** The work makes no further step. A second call does nothing. */
  cancel(): void;
  /** Call when work that said "wait" can go on. */
  wake(): void;
}

/** For jobs of the member itself: they share one place in line. */
export const background = Symbol("background");
/** On whose behalf a job runs. Clients take turns, whatever number of jobs each of them has. */
export type JobClient = object | typeof background;

/** While clients wait, one turn in this many belongs to the member's own work. */
const backgroundEvery = 4;

export class Jobs {
  readonly #clock: Clock;
  readonly #limits: JobLimits;
  /** Jobs that can go on, by client; the client that comes next is first. */
  readonly #ready = new Map<JobClient, Set<Job>>();
  #isScheduled = false;
  #sinceBackground = 0;
  /** Turns taken since the start. */
  turns = 0;
  #open = 0;

  constructor(clock: Clock, limits: JobLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Jobs that are not over, waiting ones included. */
  get open(): number {
    return this.#open;
  }

  /** Begins in a turn of its own, never inside this call. */
  start(work: SlicedWork, client: JobClient): JobHandle {
    const job: Job = { work, client, isOver: false };
    this.#open++;
    this.#add(job);
    return {
      cancel: () => this.#end(job),
      wake: () => {
        if (!job.isOver) this.#add(job);
      },
    };
  }

  #add(job: Job): void {
    const jobs = this.#ready.get(job.client);
    if (jobs === undefined) this.#ready.set(job.client, new Set([job]));
    else jobs.add(job);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#clock.defer(() => this.#turn());
  }

  #turn(): void {
    this.#isScheduled = false;
    this.turns++;
    const untilMs = this.#clock.now() + this.#limits.turnMs;
    do {
      const job = this.#next();
      if (job === undefined) return;
      this.#run(job, untilMs);
    } while (this.#clock.now() < untilMs);
    if (this.#ready.size > 0) this.#schedule();
  }

  /** Takes the job that comes next out of the line. */
  #next(): Job | undefined {
    const client = this.#nextClient();
    if (client === undefined) return undefined;
    const jobs = this.#ready.get(client) as Set<Job>;
    const [job] = jobs as Set<Job> & Iterable<Job>;
    jobs.delete(job as Job);
    this.#ready.delete(client);
    // The client's other jobs stand behind those of all other clients.
    if (jobs.size > 0) this.#ready.set(client, jobs);
    return job;
  }

  #nextClient(): JobClient | undefined {
    const isBackgroundDue = ++this.#sinceBackground >= backgroundEvery;
    if (this.#ready.has(background) && (isBackgroundDue || this.#ready.size === 1)) {
      this.#sinceBackground = 0;
      return background;
    }
    for (const client of this.#ready.keys()) if (client !== background) return client;
    return undefined;
  }

  #run(job: Job, untilMs: number): void {
    const units = this.#limits.stepUnits;
    let result: ReturnType<SlicedWork["step"]>;
    do result = job.work.step(units);
    while (result === "more" && !job.isOver && this.#clock.now() < untilMs);
    if (result === "over") this.#end(job);
    else if (result === "more" && !job.isOver) this.#add(job);
  }

  #end(job: Job): void {
    if (job.isOver) return;
    job.isOver = true;
    invariant(this.#open > 0, "a job ends that did not begin");
    this.#open--;
    const jobs = this.#ready.get(job.client);
    jobs?.delete(job);
    if (jobs?.size === 0) this.#ready.delete(job.client);
  }
}

interface Job {
  readonly work: SlicedWork;
  readonly client: JobClient;
  isOver: boolean;
}
