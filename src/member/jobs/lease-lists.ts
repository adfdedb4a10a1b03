/**
 * Gathers long lists about leases as jobs. If another state replaces the one that is read, the list
 * begins anew. A list ends when its client leaves.
 */
import type { Done } from "../../base/done.js";
import type { KvError } from "../../base/errors.js";
import type { Job, LeaseReader } from "../../state/types.js";
import type { Jobs } from "../../storage/jobs.js";
import { type ReadErrors, runJob } from "../../storage/read-jobs.js";
import type { ReadClient } from "../types.js";

export interface LeaseListsParts extends ReadErrors {
  readonly jobs: Pick<Jobs, "start">;
  leases(): LeaseReader;
  /** Why this member answers no client now. Undefined: it answers. */
  refusal(): KvError | undefined;
}

export class LeaseListJobs {
  readonly #parts: LeaseListsParts;

  constructor(parts: LeaseListsParts) {
    this.#parts = parts;
  }

  /** See LeaseReader.keysJob. `client` absent: another member asks for its client. */
  keys(id: bigint, done: Done<Uint8Array>, client?: ReadClient): void {
    this.#run((leases) => leases.keysJob(id), done, client);
  }

  /** See LeaseReader.idsJob. */
  ids(
    client: ReadClient,
    refusalOf: (id: bigint) => KvError | undefined,
    done: Done<Uint8Array>,
  ): void {
    this.#run((leases) => leases.idsJob(refusalOf), done, client);
  }

  #run(
    begin: (leases: LeaseReader) => Job<Uint8Array>,
    done: Done<Uint8Array>,
    client: ReadClient | undefined,
  ): void {
    const { jobs } = this.#parts;
    let leases = this.#parts.leases();
    let job = begin(leases);
    const step = (units: number): Uint8Array | undefined => {
      const refusal = this.#parts.refusal();
      if (refusal !== undefined) throw refusal;
      if (this.#parts.leases() !== leases) {
        leases = this.#parts.leases();
        job = begin(leases);
      }
      return job.step(units);
    };
    const asked = client === undefined ? {} : { client: client.connection ?? client };
    const handle = runJob(jobs, { step }, { ...asked, done, errors: this.#parts });
    client?.onCancel(() => handle.cancel());
  }
}
