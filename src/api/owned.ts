/**
 * Wraps a callback that runs later on behalf of a call. If it throws, the call ends with an error,
 * and the member is told. The caller of the callback (a turn of consensus, a timer, a job) goes on.
 */
import type { Call } from "../grpc/call.js";
import type { Member } from "../member/types.js";
import { refuse } from "./status.js";

export function owned<Told extends unknown[]>(
  member: Member,
  call: Call,
  fn: (...told: Told) => void,
): (...told: Told) => void {
  return (...told) => {
    try {
      fn(...told);
    } catch (error) {
      refuse(call, member.requestFailed(error));
    }
  };
}
