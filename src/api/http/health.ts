/**
 * grpc.health.v1.Health for the name "" (the server as a whole) and for each of its services, which
 * etcd does not name. All are SERVING as long as the server answers. A watch gets one answer and
 * then stays open.
 */
import type { Method } from "../../grpc/call.js";
import { rpcTable } from "../../member/gate/table.js";
import type { Member } from "../../member/types.js";
import { serve } from "../serve.js";
import { notAMessage, notAStreamMessage, refuse, unknownService } from "../status.js";

/** HealthCheckResponse with its one field, the status. */
const serving = Uint8Array.of(0x08, 1);
const servingUnknown = Uint8Array.of(0x08, 3);
const nameTag = 0x0a;

export function healthMethods(member: Member): Method[] {
  return serve(member, "grpc.health.v1.Health", {
    Check: (request, call) => {
      const isServer = asksForServer(request);
      if (isServer === undefined) refuse(call, notAMessage);
      else if (isServer) call.respond(serving);
      else refuse(call, unknownService);
    },
    Watch: (call) => {
      call.onMessage((request) => {
        const isServer = asksForServer(request);
        if (isServer === undefined) refuse(call, notAStreamMessage);
        else call.send(isServer ? serving : servingUnknown);
      });
    },
  });
}

const services: ReadonlySet<string> = new Set(
  Object.keys(rpcTable)
    .map((path) => path.split("/")[1] ?? "")
    // Whether reflection is served depends on a flag, and says nothing about the store.
    .filter((name) => !name.startsWith("grpc.reflection.")),
);

/**
 * True if HealthCheckRequest names the server as a whole, or a service that it has. Undefined: the
 * bytes are no such message.
 */
function asksForServer(request: Uint8Array): boolean | undefined {
  if (request.length === 0) return true;
  const length = request[1];
  // Every name here is so short that one byte holds its length. The message must hold the whole
  // name.
  if (request[0] !== nameTag || length === undefined) return undefined;
  if (length < 0x80 && request.length < 2 + length) return undefined;
  if (length === 0) return true;
  return services.has(Buffer.from(request.subarray(2, 2 + length)).toString("latin1"));
}
