/**
 * gRPC statuses as HTTP answers. The numbers are those of grpc-gateway v2 (runtime/errors.go). The body
 * has the fields of v1, which etcd 3.5 and older clients know (`error`), and those of v2.
 */
import { Code } from "../base/errors.js";
import type { Status } from "../grpc/call.js";

const httpOfCode: Readonly<Record<number, readonly [number, string]>> = {
  [Code.canceled]: [499, "Client Closed Request"],
  [Code.invalidArgument]: [400, "Bad Request"],
  [Code.failedPrecondition]: [400, "Bad Request"],
  [Code.outOfRange]: [400, "Bad Request"],
  [Code.deadlineExceeded]: [504, "Gateway Timeout"],
  [Code.notFound]: [404, "Not Found"],
  // AlreadyExists and Aborted.
  6: [409, "Conflict"],
  10: [409, "Conflict"],
  [Code.permissionDenied]: [403, "Forbidden"],
  16: [401, "Unauthorized"],
  [Code.resourceExhausted]: [429, "Too Many Requests"],
  [Code.unimplemented]: [501, "Not Implemented"],
  [Code.unavailable]: [503, "Service Unavailable"],
};

export function httpStatusOf({ code }: Status): number {
  return (httpOfCode[code] ?? [500])[0];
}

/** The body of an answer that is an error. */
export function errorBody({ code, message }: Status): string {
  return JSON.stringify({ error: message, code, message });
}

/** The last line of a stream that ended with an error. */
export function errorLine({ code, message }: Status): string {
  const [http_code, http_status] = httpOfCode[code] ?? [500, "Internal Server Error"];
  const error = { grpc_code: code, http_code, message, http_status, code };
  return `${JSON.stringify({ error })}\n`;
}
