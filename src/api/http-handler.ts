/** Puts the pure HTTP side on Node's requests and responses. Request bodies are not read. */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { answerHttp, type HttpSubject } from "./http.js";

export function httpHandler(subject: HttpSubject): RequestListener {
  return (request: IncomingMessage, response: ServerResponse) => {
    request.resume();
    const { method = "GET", url = "/" } = request;
    answerHttp({ method, url }, subject, ({ status, headers, body }) => {
      // The answer may come in a turn of the member, which must not end by it.
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
