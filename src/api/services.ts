/** All gRPC services of this store. */
import type { Method } from "../grpc/call.js";
import type { Member } from "../member/types.js";
import type { Hash } from "../platform/hash.js";
import { authMethods } from "./auth.js";
import { clusterMethods } from "./cluster.js";
import { healthMethods } from "./http/health.js";
import { integrityMethods } from "./integrity.js";
import { kvMethods } from "./kv.js";
import { leaseMethods } from "./lease.js";
import { maintenanceMethods } from "./maintenance.js";
import { watchMethods } from "./watch.js";

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
