/**
 * What the search asks of a sequential object, and the calls that clients made to it.
 *
 * A model is pure: `step` must not change its state argument, and must give the same answer each
 * time. States are immutable values; the search keeps and compares them.
 */

/** One request of one client. */
export interface Call<Input, Output> {
  readonly client: number;
  readonly input: Input;
  /**
   * Undefined: nobody knows the outcome. The call then may take effect once, at any time after it
   * was made, or never; its `returnAt` is not looked at.
   */
  readonly output: Output | undefined;
  /** Position in time, any unit. At equal times, calls come before returns. */
  readonly callAt: number;
  readonly returnAt: number;
}

export interface Model<State, Input, Output> {
  readonly init: State;
  /**
   * The state after the call, or undefined: it could not have answered so in this state. With
   * `output` undefined: its effect, whatever the answer. A call without effect must give a state
   * that `equals` the one before.
   */
  step(state: State, input: Input, output: Output | undefined): State | undefined;
  /** Any 32-bit integer; equal states have equal hashes. */
  hash(state: State): number;
  equals(left: State, right: State): boolean;
  /** Memory of one state, in bytes, roughly; a small constant if absent. */
  stateBytes?(state: State): number;
  /**
   * Calls with different names never influence each other, so each name is searched by itself
   * (P-compositionality). Absent: all calls are one object.
   */
  partition?(input: Input): string;
  /**
   * Whether the call never changes any state, whatever that state is. A call that only leaves the
   * present one as it is (writing what is there already) is none of these. Absent: no call is known
   * to be one. Only makes the search faster.
   */
  isRead?(input: Input, output: Output | undefined): boolean;
  /**
   * Calls with equal names do the same in every state: where both change a state they change it
   * alike, and where one leaves it as it is, or cannot happen, so does or cannot the other.
   * Undefined: like no other. Only makes the search faster.
   */
  likeness?(input: Input, output: Output | undefined): string | undefined;
}
