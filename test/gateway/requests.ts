/** Requests to the JSON gateway, and what of two servers' answers must be equal. */
import { expect } from "vitest";

export interface JsonAnswer {
  readonly status: number;
  readonly type: string | null;
  /** One JSON value a line. */
  readonly lines: readonly unknown[];
}

/** A path and a body; a stream ends after so many lines. */
export interface JsonRequest {
  readonly path: string;
  readonly body: string;
  readonly lines?: number;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The text is the server's own, not etcd's. */
  readonly ownText?: true;
}

export async function ask(endpoint: string, asked: JsonRequest): Promise<JsonAnswer> {
  const { path, body, method = "POST", headers = {}, lines } = asked;
  const given = method === "GET" ? { method, headers } : { method, headers, body };
  const stop = new AbortController();
  const response = await fetch(`http://${endpoint}${path}`, { ...given, signal: stop.signal });
  let text = "";
  const decoder = new TextDecoder();
  for await (const part of response.body ?? []) {
    text += decoder.decode(part as Uint8Array, { stream: true });
    if (lines !== undefined && text.split("\n").length > lines) break;
  }
  stop.abort();
  const values = text.split("\n").filter((line) => line !== "");
  return {
    status: response.status,
    type: response.headers.get("content-type"),
    lines: values.map((line) => JSON.parse(line) as unknown),
  };
}

/** Without what differs between any two clusters, and without the field of grpc-gateway v1. */
export function comparable({ status, type, lines }: JsonAnswer, asked: JsonRequest): unknown {
  const own = /"(cluster_id|member_id|raft_term|leader|lease|dbSize\w*|raft\w+)":"\d+"/g;
  const text = JSON.stringify(lines)
    .replace(own, '"$1":"N"')
    .replace(/"error":"(?:[^"\\]|\\.)*",/g, "");
  const values = JSON.parse(
    asked.ownText ? text.replace(/"message":"(?:[^"\\]|\\.)*"/g, '"message":""') : text,
  );
  return { status, type, values };
}

export async function expectEqual(ours: string, etcd: string, asked: JsonRequest): Promise<void> {
  const [here, there] = [await ask(ours, asked), await ask(etcd, asked)];
  expect(comparable(here, asked), `${asked.path} ${asked.body}`).toEqual(comparable(there, asked));
}
