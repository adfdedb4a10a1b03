/**
 * The only place where a call learns on whose behalf it comes, and where the rule of its RPC is
 * applied. If a right depends on keys, the service that knows them asks state/auth/rights.ts.
 */
import { KvError } from "../base/errors.js";
import type { Call } from "../grpc/call.js";
import type { Who } from "../member/gate/table.js";
import type { Member } from "../member/types.js";
import { adminRefusal, userRefusal } from "../state/auth/rights.js";
import { type Caller, nobody } from "../wire/proposal.js";
import { owned } from "./owned.js";
import { refuse } from "./status.js";

/**
 * Calls `then` with the caller, or with the error invalidAuthToken. Does so inside the call while
 * auth is off.
 */
export function identify(
  member: Member,
  call: Call,
  then: (caller: Caller | KvError) => void,
): void {
  if (!member.machine.auth.isEnabled) {
    then(nobody);
    return;
  }
  const token = call.metadata("token") ?? call.metadata("authorization");
  const commonName = call.certificate?.commonName;
  member.authenticator.callerOf({ token, commonName }, owned(member, call, then));
}

/** As `identify`, for a call that ends with the error. */
export function withCaller(member: Member, call: Call, then: (caller: Caller) => void): void {
  identify(member, call, (caller) => {
    if (caller instanceof KvError) refuse(call, caller);
    else then(caller);
  });
}

/**
 * Refuses a read whose token belongs to another auth revision, also to a later one: this member
 * lags then.
 */
export function tokenRefusal(member: Member, { authRevision }: Caller): KvError | undefined {
  const { isEnabled, revision } = member.machine.auth;
  const isOther = isEnabled && authRevision !== 0 && authRevision !== revision;
  return isOther ? new KvError("authOldRevision") : undefined;
}

/**
 * For requests that go into the log. A caller without a user is refused here, before the request
 * costs anything, but only on a state that is known to be current: auth may have been switched off
 * meanwhile. The entry decides what a user may do when it is applied.
 */
export function withWriter(member: Member, call: Call, then: (caller: Caller) => void): void {
  withCaller(member, call, (caller) => {
    if (userRefusal(member.machine.auth, caller) === undefined) then(caller);
    else current(member, call, caller, userRefusal, then);
  });
}

/** Runs `then` for root alone: for requests that are answered, or begun, outside of the log. */
function withRoot(member: Member, call: Call, then: (caller: Caller) => void): void {
  withCaller(member, call, (caller) => {
    const refusal = adminRefusal(member.machine.auth, caller);
    if (refusal === undefined) then(caller);
    else refuse(call, refusal);
  });
}

/** As `withRoot`, on a state that is known to be current. */
export function withCurrentRoot(member: Member, call: Call, then: (caller: Caller) => void): void {
  withCaller(member, call, (caller) => current(member, call, caller, adminRefusal, then));
}

function current(
  member: Member,
  call: Call,
  caller: Caller,
  rule: typeof userRefusal,
  then: (caller: Caller) => void,
): void {
  const decide = (stale: undefined | KvError): void => {
    const refusal = stale ?? rule(member.machine.auth, caller);
    if (refusal === undefined) then(caller);
    else refuse(call, refusal);
  };
  member.readBarrier(
    owned(member, call, (refusal: unknown) =>
      decide(refusal instanceof KvError ? refusal : undefined),
    ),
  );
}

/**
 * Runs `then` if the caller may use this RPC (gate/table.ts); otherwise ends the call. Inside the
 * call while auth is off.
 */
export function withRight(member: Member, call: Call, who: Who, then: () => void): void {
  if (who === "open" || who === "own" || !member.machine.auth.isEnabled) then();
  else if (who === "certified" && call.certificate !== undefined) then();
  else if (who === "root") withRoot(member, call, then);
  else withUser(member, call, then);
}

function withUser(member: Member, call: Call, then: (caller: Caller) => void): void {
  withCaller(member, call, (caller) => {
    const refusal = userRefusal(member.machine.auth, caller);
    if (refusal === undefined) then(caller);
    else refuse(call, refusal);
  });
}
