/**
 * grpc.health.v1.Health for the one name "" (the server as a whole). The server is SERVING as long
 * as it answers. A watch gets one answer and then stays open.
 */
import { Code } from "../../base/errors.js";
import type { Method } from "../../grpc/call.js";
import { notAMessage, notAStreamMessage } from "../status.js";

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
        const isServer = asksForServer(request);
        if (isServer === undefined) call.fail(notAMessage);
        else if (isServer) call.respond(serving);
        else call.fail({ code: Code.notFound, message: "unknown service" });
      },
    },
    {
      path: `${service}Watch`,
      kind: "serverStream",
      handle: (call) => {
        call.onMessage((request) => {
          const isServer = asksForServer(request);
          if (isServer === undefined) call.fail(notAStreamMessage);
          else call.send(isServer ? serving : unknownService);
        });
      },
    },
  ];
}

/** Whether HealthCheckRequest names no single service. Undefined: the bytes are no such message. */
function asksForServer(request: Uint8Array): boolean | undefined {
  if (request.length === 0) return true;
  const length = request[1];
  // No name of ours is longer than one byte of length allows; the whole name must be here.
  if (request[0] !== nameTag || length === undefined) return undefined;
  if (length < 0x80 && request.length < 2 + length) return undefined;
  return length === 0;
}
