/** Connects the pure HTTP side to Node's requests and responses. Does not read request bodies. */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { admit, type BrowserAccess } from "./browser-access.js";
import { answerHttp, type HttpAnswer, type HttpSubject } from "./http.js";

export function httpHandler(subject: HttpSubject, access: BrowserAccess): RequestListener {
  return (request: IncomingMessage, response: ServerResponse) => {
    request.resume();
    const { method = "GET", url = "/" } = request;
    const { origin = "", host = "" } = request.headers;
    const isSecure = "encrypted" in request.socket && request.socket.encrypted === true;
    const admission = admit({ method, origin, host, isSecure }, access);
    const answer = ({ status, headers, body }: HttpAnswer): void => {
      const length = { "Content-Length": Buffer.byteLength(body) };
      // The answer may come inside a turn of the member. An error here must not end that turn.
      try {
        response.writeHead(status, { ...headers, ...admission.headers, ...length });
        response.end(method === "HEAD" ? undefined : body);
      } catch (error) {
        response.destroy();
        subject.member.requestFailed(error);
      }
    };
    if (admission.answer === undefined) answerHttp({ method, url }, subject, answer);
    else answer(admission.answer);
  };
}
