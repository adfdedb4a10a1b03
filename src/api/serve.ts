/**
 * Registers the methods of a service. This is the only way: the types demand a handler for each RPC
 * of the service in member/gate/table.ts and for no other one. Each call passes the rules of arrival,
 * and the question who calls, before its handler sees it.
 */
import type { Method, StreamCall, UnaryCall } from "../grpc/call.js";
import { type Rpc, rpcTable } from "../member/gate/table.js";
import type { Member } from "../member/types.js";
import { withRight } from "./caller.js";
import { refuse } from "./status.js";

type Services = Rpc extends infer R ? (R extends `/${infer S}/${string}` ? S : never) : never;
type NamesOf<S extends string> = Rpc extends infer R
  ? R extends `/${S}/${infer Name}`
    ? Name
    : never
  : never;
type KindOf<R> = R extends Rpc ? (typeof rpcTable)[R]["kind"] : never;
type UnaryHandler = (request: Uint8Array, call: UnaryCall) => void;
type StreamHandler = (call: StreamCall) => void;
export type Handlers<S extends string> = {
  readonly [Name in NamesOf<S>]: KindOf<`/${S}/${Name}`> extends "unary"
    ? UnaryHandler
    : StreamHandler;
};

/** Makes the methods of `service`, named with its package as on the wire: "etcdserverpb.KV". */
export function serve<S extends Services>(
  member: Member,
  service: S,
  handlers: Handlers<S>,
): Method[] {
  return Object.entries(handlers).map(([name, handle]) =>
    admitted(member, `/${service}/${name}` as Rpc, handle as UnaryHandler & StreamHandler),
  );
}

function admitted(member: Member, path: Rpc, handle: UnaryHandler & StreamHandler): Method {
  const { kind, who } = rpcTable[path];
  if (kind === "unary") {
    return {
      path,
      kind,
      handle: (request, call) => {
        member.operations.called("unary", call.metadata("client-api-version"));
        const refusal = member.admit(path, call);
        if (refusal !== undefined) refuse(call, refusal);
        else withRight(member, call, who, () => handle(request, call));
      },
    };
  }
  return {
    path,
    kind,
    handle: (call) => {
      member.operations.called("stream", call.metadata("client-api-version"));
      const refusal = member.admit(path, call);
      if (refusal !== undefined) refuse(call, refusal);
      else withRight(member, call, who, () => handle(call));
    },
  };
}
