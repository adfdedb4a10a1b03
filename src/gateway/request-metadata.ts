/** Turns the headers of an HTTP request into the metadata of its call. */
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { parseTimeout } from "../grpc/calls/deadlines.js";
import { clientCertificateOf } from "../grpc/client-certificate.js";
import type { LocalRequest } from "../grpc/local/local-call.js";

/**
 * Reads the headers. `Authorization: TOKEN` or `Bearer TOKEN` is the metadata `token`;
 * `Grpc-Metadata-NAME` is NAME; `Grpc-Timeout` bounds the call. `grpcgateway-accept` says that the
 * call came through the gateway.
 *
 * @param socket of the request. A name in its certificate is no user here, as in etcd.
 * @throws Error if the timeout cannot be read
 */
export function requestOf(
  headers: IncomingHttpHeaders,
  socket: IncomingMessage["socket"],
): LocalRequest {
  const timeout = headerOf(headers, "grpc-timeout");
  const timeoutMs = timeout === undefined ? undefined : parseTimeout(timeout);
  if (timeout !== undefined && timeoutMs === undefined) {
    throw new Error(`invalid grpc-timeout: ${timeout}`);
  }
  const certificate = clientCertificateOf(socket) && { commonName: undefined };
  return { timeoutMs, certificate, metadata: (name) => metadataOf(headers, name) };
}

function metadataOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  if (name === "token") return headers.authorization?.replace(/^Bearer +/i, "");
  if (name === "authorization") return headers.authorization;
  if (name === "grpcgateway-accept") return headers.accept ?? "";
  return headerOf(headers, `grpc-metadata-${name}`);
}

function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}
