/**
 * Decides whether this member takes a client's request now. All admission rules stand here and
 * nowhere else, so that a new kind of request cannot forget one.
 */
import { KvError } from "../base/errors.js";

/** The member refuses writes once this many committed entries wait to be applied. */
const applyLagMax = 5_000;

export interface AdmissionParts {
  /** Bytes of an encoded request. A larger one is refused with requestTooLarge. */
  readonly requestBytesMax: number;
  isStopping(): boolean;
  /** Set while this member's state is wrong or not yet healed: it then answers no client. */
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

  /**
   * For every request that is answered from this member's state. Undefined: the request is taken.
   */
  refusal(): KvError | undefined {
    if (this.#parts.isStopping()) return new KvError("stopped");
    return this.#parts.quarantineRefusal();
  }

  /**
   * For every request that goes into the log. `growthBytes` is its cost against the space quota.
   * Undefined: the request is taken.
   */
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
