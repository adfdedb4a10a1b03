/** All gRPC services of this store. */
import type { Method } from "../grpc/call.js";
import { CallCounters } from "../grpc/call-counters.js";
import { LocalServer } from "../grpc/local/local-server.js";
import type { Member } from "../member/types.js";
import type { Clock } from "../platform/clock.js";
import type { Hash } from "../platform/hash.js";
import { authMethods } from "./auth.js";
import { clusterMethods } from "./cluster.js";
import { electionMethods } from "./concurrency/election.js";
import { lockMethods } from "./concurrency/lock.js";
import { healthMethods } from "./http/health.js";
import { integrityMethods } from "./integrity.js";
import { kvMethods } from "./kv.js";
import { leaseMethods } from "./lease.js";
import { maintenanceMethods } from "./maintenance.js";
import { statusOf } from "./status.js";
import { watchMethods } from "./watch.js";

/** The services of a member. */
export function allMethods(member: Member, hash: Hash): Method[] {
  return [
    ...kvMethods(member),
    ...watchMethods(member),
    ...leaseMethods(member),
    ...clusterMethods(member),
    ...maintenanceMethods(member, hash),
    ...authMethods(member),
    ...healthMethods(member),
    ...integrityMethods(member),
  ];
}

/** The services that call the others as clients do: lock and election. */
export function builtMethods(member: Member, methods: readonly Method[], clock: Clock): Method[] {
  const server = new LocalServer({
    methods,
    // The calls that they make for a caller are not counted: only the caller's own call is, as in
    // etcd.
    counters: new CallCounters(),
    clock,
    onError: (error) => statusOf(member.requestFailed(error)),
  });
  return [...lockMethods(member, server), ...electionMethods(member, server)];
}
