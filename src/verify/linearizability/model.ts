/**
 * What the search needs to know of a sequential object, and the calls that clients made to it.
 *
 * A model is pure: `step` must not change its state argument, and must give the same answer each
 * time. States are immutable values; the search keeps and compares them.
 */

/** One request of one client. */
export interface ModelCall<Input, Output> {
  readonly client: number;
  readonly input: Input;
  /**
   * Undefined: the outcome is unknown. The call may then take effect once, at any time after it
   * began, or never; the search ignores its `returnAt`.
   */
  readonly output: Output | undefined;
  /** Position in time, any unit. At equal times, calls come before returns. */
  readonly callAt: number;
  readonly returnAt: number;
}

export interface Model<State, Input, Output> {
  readonly init: State;
  /**
   * The state after the call, or undefined: the call could not have given this answer in this
   * state. With `output` undefined: its effect, whatever the answer. A call without effect must
   * give a state that `equals` the one before.
   */
  step(state: State, input: Input, output: Output | undefined): State | undefined;
  /** Any 32-bit integer; equal states have equal hashes. */
  hash(state: State): number;
  equals(left: State, right: State): boolean;
  /** Memory of one state in bytes, roughly; absent: a small constant. */
  stateBytes?(state: State): number;
  /**
   * Calls with different names never influence each other, so the search treats each name
   * separately (P-compositionality). Absent: all calls are one object.
   */
  partition?(input: Input): string;
  /**
   * Whether the call never changes any state. A call that only leaves the present state unchanged
   * (it writes the present value) does not count. Absent: no call is known to be one. Only makes
   * the search faster.
   */
  isRead?(input: Input, output: Output | undefined): boolean;
  /**
   * Calls with equal names do the same in every state: where both change a state they change it
   * alike, and where one leaves it as it is, or cannot happen, so does or cannot the other.
   * Undefined: like no other. Only makes the search faster.
   */
  likeness?(input: Input, output: Output | undefined): string | undefined;
}
