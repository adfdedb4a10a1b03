/**
 * grpc.health.v1.Health for the one name "": the server as a whole, which serves as long as it
 * answers. A watch is told once and then kept open.
 */
import { Code } from "../base/errors.js";
import type { Call, Method } from "../grpc/call.js";
import { notAMessage } from "./status.js";

const service = "/grpc.health.v1.Health/";
/** HealthCheckResponse with its one field, the status. */
const serving = Uint8Array.of(0x08, 1);
const unknownService = Uint8Array.of(0x08, 3);
const nameTag = 0x0a;

export function healthMethods(): Method[] {
  return [
    {
      path: `${service}Check`,
      kind: "unary",
      handle: (request, call) => {
        const isServer = asksForServer(request, call);
        if (isServer === true) call.respond(serving);
        else if (isServer === false) call.fail({ code: Code.notFound, message: "unknown service" });
      },
    },
    {
      path: `${service}Watch`,
      kind: "serverStream",
      handle: (call) => {
        call.onMessage((request) => {
          const isServer = asksForServer(request, call);
          if (isServer !== undefined) call.send(isServer ? serving : unknownService);
        });
      },
    },
  ];
}

/** Whether HealthCheckRequest names no single service; undefined: refused, it is no such message. */
function asksForServer(request: Uint8Array, call: Call): boolean | undefined {
  if (request.length === 0) return true;
  const length = request[1];
  if (request[0] !== nameTag || length === undefined) {
    call.fail(notAMessage);
    return undefined;
  }
  return length === 0;
}
