/** One unary call with a token of its own. */
import * as grpc from "@grpc/grpc-js";
import type { ClusterMember } from "../../support/cluster.js";

/** The answer, or the code and the text of the error. */
export function ask<R extends object>(
  { client }: ClusterMember,
  path: string,
  call: { readonly request: Uint8Array; readonly token?: string },
  response: { decode(bytes: Uint8Array): R },
): Promise<R | string> {
  const metadata = new grpc.Metadata();
  if (call.token !== undefined) metadata.set("token", call.token);
  return new Promise((resolve) => {
    client.channel.makeUnaryRequest(
      `/etcdserverpb.${path}`,
      (request: Uint8Array) => Buffer.from(request),
      (bytes: Buffer) => response.decode(bytes),
      call.request,
      metadata,
      { deadline: Date.now() + 30_000 },
      (error, answer) => resolve(error === null ? (answer as R) : `${error.code} ${error.details}`),
    );
  });
}
