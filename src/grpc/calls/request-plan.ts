/**
 * What a request's fields say about it: which method is called and how, or why it is none. Made
 * once for each different head of a connection.
 */
import { Code } from "../../base/errors.js";
import type { Method, Status } from "../call.js";
import type { CallCounters, MethodCounters } from "../call-counters.js";
import { HeaderFields } from "../http2/hpack/encoder.js";
import { fieldOf, type RequestHead } from "../http2/request-head.js";
import { parseTimeout } from "./deadlines.js";
import { statusOnly } from "./status.js";

/** A method of a service with its counters. */
export interface Route {
  readonly method: Method;
  readonly counters: MethodCounters;
}

export type RequestPlan =
  | {
      readonly kind: "call";
      readonly route: Route;
      /** Undefined: the client waits for ever. */
      readonly timeoutMs: number | undefined;
      readonly isGzip: boolean;
    }
  /** Answered with these fields and nothing else. */
  | { readonly kind: "refuse"; readonly answer: HeaderFields }
  | { readonly kind: "http" };

/** "application/grpc", with a suffix or parameters. */
const grpcType = /^application\/grpc(?:[+;]|$)/i;

/** The methods of all services, by path. */
export class Routes {
  readonly #routes = new Map<string, Route>();
  readonly #services = new Set<string>();

  constructor(methods: readonly Method[], counters: CallCounters) {
    for (const method of methods) {
      this.#routes.set(method.path, { method, counters: counters.of(method) });
      this.#services.add(serviceOf(method.path));
    }
  }

  planFor(head: RequestHead): RequestPlan {
    const route = this.#routes.get(head.path);
    if (!grpcType.test(fieldOf(head.fields, "content-type") ?? "")) {
      // A gRPC method answers nothing but gRPC; everything else is plain HTTP.
      return route === undefined ? { kind: "http" } : refuseHttp("415");
    }
    if (head.method !== "POST") return refuseHttp("405");
    if (route === undefined) return refuse(Code.unimplemented, this.#unknownText(head.path));
    return callPlan(head, route);
  }

  /** In grpc-go's words, which etcd's clients expect. */
  #unknownText(path: string): string {
    const service = serviceOf(path);
    const method = path.slice(path.lastIndexOf("/") + 1);
    if (path.lastIndexOf("/") < 1) return `malformed method name: "${path}"`;
    return this.#services.has(service)
      ? `unknown method ${method} for service ${service}`
      : `unknown service ${service}`;
  }
}

function callPlan(head: RequestHead, route: Route): RequestPlan {
  const encoding = fieldOf(head.fields, "grpc-encoding") ?? "identity";
  if (encoding !== "identity" && encoding !== "gzip") {
    const text = `grpc: Decompressor is not installed for grpc-encoding "${encoding}"`;
    return refuse(Code.unimplemented, text, ["grpc-accept-encoding", "gzip"]);
  }
  const timeout = fieldOf(head.fields, "grpc-timeout");
  const timeoutMs = timeout === undefined ? undefined : parseTimeout(timeout);
  if (timeout !== undefined && timeoutMs === undefined) {
    return refuse(Code.internal, `malformed grpc-timeout: "${timeout}"`);
  }
  return { kind: "call", route, timeoutMs, isGzip: encoding === "gzip" };
}

function refuse(code: Code, message: string, more: readonly string[] = []): RequestPlan {
  const { fields } = statusOnly({ code, message } satisfies Status);
  return { kind: "refuse", answer: new HeaderFields([...fields, ...more]) };
}

function refuseHttp(status: string): RequestPlan {
  return { kind: "refuse", answer: new HeaderFields([":status", status]) };
}

function serviceOf(path: string): string {
  return path.slice(1, Math.max(1, path.lastIndexOf("/")));
}
