/**
 * Why a request of a client is not taken now. Each rule is asked here and nowhere else, so that a new
 * kind of request cannot forget one.
 */
import { KvError } from "../base/errors.js";

/** More committed than applied entries than this: the member is behind and takes no more. */
const applyLagMax = 5_000;

export interface AdmissionParts {
  /** Bytes of an encoded request; beyond: requestTooLarge. */
  readonly requestBytesMax: number;
  isStopping(): boolean;
  /** This member's state is wrong, or was: it answers no client. */
  quarantineRefusal(): KvError | undefined;
  committedIndex(): number;
  appliedIndex(): number;
  /** Raises the alarm NOSPACE when it refuses. */
  quotaRefusal(growthBytes: number): KvError | undefined;
}

export class Admission {
  readonly #parts: AdmissionParts;

  constructor(parts: AdmissionParts) {
    this.#parts = parts;
  }

  /** For everything that is answered from this member's state. */
  refusal(): KvError | undefined {
    if (this.#parts.isStopping()) return new KvError("stopped");
    return this.#parts.quarantineRefusal();
  }

  /** For what goes into the log. `growthBytes`: its cost against the space quota. */
  writeRefusal(bodyBytes: number, growthBytes: number): KvError | undefined {
    const { requestBytesMax } = this.#parts;
    const refusal = this.refusal();
    if (refusal !== undefined) return refusal;
    if (bodyBytes > requestBytesMax) return new KvError("requestTooLarge");
    const lag = this.#parts.committedIndex() - this.#parts.appliedIndex();
    if (lag > applyLagMax) return new KvError("tooManyRequests");
    return this.#parts.quotaRefusal(growthBytes);
  }
}
