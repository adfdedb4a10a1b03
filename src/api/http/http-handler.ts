/** Connects the pure HTTP side to Node's requests and responses. Does not read request bodies. */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { answerHttp, type HttpSubject } from "./http.js";

export function httpHandler(subject: HttpSubject): RequestListener {
  return (request: IncomingMessage, response: ServerResponse) => {
    request.resume();
    const { method = "GET", url = "/" } = request;
    answerHttp({ method, url }, subject, ({ status, headers, body }) => {
      // The answer may come inside a turn of the member. An error here must not end that turn.
      try {
        response.writeHead(status, { ...headers, "Content-Length": Buffer.byteLength(body) });
        response.end(method === "HEAD" ? undefined : body);
      } catch (error) {
        response.destroy();
        subject.member.requestFailed(error);
      }
    });
  };
}
