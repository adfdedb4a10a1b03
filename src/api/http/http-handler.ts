/** Connects the pure HTTP side to Node's requests and responses. Does not read request bodies. */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { clientCertificateOf } from "../../grpc/client-certificate.js";
import type { Member } from "../../member/types.js";
import {
  type Admission,
  admit,
  type BrowserAccess,
  type BrowserRequest,
  refuseWebSocket,
} from "./browser-access.js";
import { answerHttp, type HttpAnswer, type HttpSubject } from "./http.js";
import { startingAnswer } from "./starting.js";
import { targetOf } from "./target.js";

/** Answers the requests of some paths, which then have no page. */
export interface OtherPaths {
  isFor(url: string): boolean;
  /** `headers` belong into every answer. */
  handle(
    request: IncomingMessage,
    response: ServerResponse,
    headers: Readonly<Record<string, string>>,
  ): void;
}

export function httpHandler(
  subject: HttpSubject,
  access: BrowserAccess,
  others?: OtherPaths,
): RequestListener {
  return (request: IncomingMessage, response: ServerResponse) => {
    const { method = "GET" } = request;
    const target = targetOf(method, request.url ?? "/");
    const url = "url" in target ? target.url : "";
    request.url = url;
    const isOther = others?.isFor(url) === true;
    const admitted = isOther
      ? gatewayAdmissionOf(request, access, subject.member)
      : admissionOf(request, access);
    const instead = "url" in target ? undefined : target.answer;
    const admission = { headers: admitted.headers, answer: admitted.answer ?? instead };
    if (admission.answer === undefined && isOther) {
      others.handle(request, response, admission.headers);
      return;
    }
    request.resume();
    const answer = ({ headers, ...rest }: HttpAnswer): void => {
      // The answer may come inside a turn of the member. An error here must not end that turn.
      try {
        const all = { ...headers, ...admission.headers };
        sendAnswer({ method, response }, { ...rest, headers: all });
      } catch (error) {
        response.destroy();
        subject.member.requestFailed(error);
      }
    };
    if (admission.answer === undefined) answerHttp({ method, url }, subject, answer);
    else answer(admission.answer);
  };
}

/** The pages before there is a member. */
export function startingHandler(access: BrowserAccess): RequestListener {
  return (request, response) => {
    const { method = "GET" } = request;
    request.resume();
    const admission = admissionOf(request, access);
    const target = targetOf(method, request.url ?? "/");
    const page = "url" in target ? startingAnswer({ method, url: target.url }) : target.answer;
    const { headers, ...answer } = admission.answer ?? page;
    const all = { ...headers, ...admission.headers };
    sendAnswer({ method, response }, { ...answer, headers: all });
  };
}

function sendAnswer(
  { method, response }: { readonly method: string; readonly response: ServerResponse },
  { status, headers, body }: HttpAnswer,
): void {
  response.writeHead(status, { ...headers, "Content-Length": Buffer.byteLength(body) });
  response.end(method === "HEAD" ? undefined : body);
}

function admissionOf(request: IncomingMessage, access: BrowserAccess): Admission {
  return admit(browserRequestOf(request), access);
}

/** The refusal of a request for a WebSocket, if it is refused. Else its URL is the decoded one. */
export function webSocketRefusalOf(
  request: IncomingMessage,
  access: BrowserAccess,
  member: Member,
): HttpAnswer | undefined {
  const refusal =
    refuseWebSocket(browserRequestOf(request), access) ?? certificateRefusal(request, member);
  if (refusal !== undefined) return refusal;
  const target = targetOf("GET", request.url ?? "/");
  if ("answer" in target) return target.answer;
  request.url = target.url;
  return undefined;
}

/** For requests that become calls of services. */
function gatewayAdmissionOf(
  request: IncomingMessage,
  access: BrowserAccess,
  member: Member,
): Admission {
  const { headers, answer } = admissionOf(request, access);
  return { headers, answer: answer ?? certificateRefusal(request, member) };
}

/**
 * As in etcd: a client whose certificate names a user would expect to be that user, but the gateway
 * knows callers by their tokens only.
 */
function certificateRefusal({ socket }: IncomingMessage, member: Member): HttpAnswer | undefined {
  const { auth } = member.machine;
  if (!auth.isEnabled || !member.authenticator.usesCertificates) return undefined;
  const isNamed = (clientCertificateOf(socket)?.commonName ?? "") !== "";
  return isNamed ? { status: 400, headers: text, body: namedCertificate } : undefined;
}

const text = { "Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff" };
/** etcd's words. */
const namedCertificate =
  "CommonName of client sending a request against gateway will be ignored and not used as expected\n";

function browserRequestOf(request: IncomingMessage): BrowserRequest {
  const { method = "GET" } = request;
  const { origin = "", host = "" } = request.headers;
  const isSecure = "encrypted" in request.socket && request.socket.encrypted === true;
  return { method, origin, host, isSecure };
}
