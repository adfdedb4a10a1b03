/**
 * The plain HTTP pages: version, health and metrics. Pure: a request's method and URL go in, and
 * the answer comes by callback, once, possibly inside the call.
 */
import type { KvError } from "../../base/errors.js";
import type { Page } from "../../member/gate/table.js";
import type { Member } from "../../member/types.js";
import { prometheusContentType, prometheusText } from "../../metrics/prometheus-text.js";
import type { HistogramSample, MetricSample } from "../../metrics/sample.js";
import {
  type HealthCheck,
  liveChecks,
  readyChecks,
  runChecks,
  serverHealth,
} from "./health-checks.js";
import { answerPprof, type TakeProfile } from "./pprof.js";

export interface HttpRequest {
  readonly method: string;
  /** Path and query as in the request line. */
  readonly url: string;
}
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}
export type PageResponse = (answer: HttpAnswer) => void;

export interface HttpSubject {
  readonly member: Member;
  /** Metrics besides the member's own: of calls and of the process. */
  readonly moreMetrics: () => readonly (MetricSample | HistogramSample)[];
  /** Values of the process for /debug/vars: "cmdline" and "memstats". */
  readonly vars?: () => Readonly<Record<string, unknown>>;
  /** Takes the profiles of /debug/pprof. Absent: there are no such pages. */
  readonly takeProfile?: TakeProfile;
}

const text = "text/plain; charset=utf-8";
const json = "application/json";

export function answerHttp(request: HttpRequest, subject: HttpSubject, done: PageResponse): void {
  const { takeProfile } = subject;
  if (takeProfile !== undefined && answerPprof(request, takeProfile, done)) return;
  const queryAt = request.url.indexOf("?");
  const path = queryAt < 0 ? request.url : request.url.slice(0, queryAt);
  const query = new URLSearchParams(queryAt < 0 ? "" : request.url.slice(queryAt + 1));
  const found = endpointOf(path);
  const { member } = subject;
  const refusal = found && member.admitPage(found.page);
  if (found === undefined) {
    done(answerOf(404, text, "404 page not found\n"));
  } else if (refusal !== undefined) {
    done(failedAnswer(path, refusal));
  } else if (request.method !== "GET" && !(request.method === "HEAD" && path === "/metrics")) {
    done(answerOf(405, text, "Method Not Allowed\n", { Allow: "GET" }));
  } else {
    try {
      found.answer(subject, query, done);
    } catch (error) {
      done(failedAnswer(path, member.requestFailed(error)));
    }
  }
}

function failedAnswer(path: string, { message }: KvError): HttpAnswer {
  return path === "/health" ? healthAnswer(message) : answerOf(503, text, `${message}\n`);
}

type Endpoint = (subject: HttpSubject, query: URLSearchParams, done: PageResponse) => void;

function endpointOf(path: string): { readonly page: Page; readonly answer: Endpoint } | undefined {
  if (path === "/version") return { page: "client /version", answer: version };
  if (path === "/health") return { page: "client /health", answer: health };
  if (path === "/debug/vars") return { page: "client /metrics", answer: debugVars };
  if (path === "/metrics") return { page: "client /metrics", answer: metrics };
  const live = checkEndpoint(path, "/livez", liveChecks);
  if (live !== undefined) return { page: "client /livez", answer: live };
  const ready = checkEndpoint(path, "/readyz", readyChecks);
  return ready && { page: "client /readyz", answer: ready };
}

const version: Endpoint = ({ member }, _query, done) => {
  const { version: server, storageVersion } = member.status();
  const body = {
    etcdserver: server,
    etcdcluster: member.machine.cluster.clusterVersion() || "not_decided",
    storage: storageVersion || "unknown",
  };
  done(answerOf(200, json, JSON.stringify(body)));
};

const health: Endpoint = ({ member }, query, done) => {
  const options = {
    excluded: query.getAll("exclude"),
    isSerializable: query.get("serializable") === "true",
  };
  serverHealth(member, options, (reason) => {
    member.operations.healthAsked(reason === undefined);
    done(healthAnswer(reason));
  });
};

function healthAnswer(reason: string | undefined): HttpAnswer {
  const body = { health: reason === undefined ? "true" : "false", reason: reason ?? "" };
  return answerOf(reason === undefined ? 200 : 503, json, JSON.stringify(body));
}

const metrics: Endpoint = ({ member, moreMetrics }, _query, done) => {
  const samples = [...member.metrics(), ...moreMetrics()];
  done(answerOf(200, prometheusContentType, prometheusText(samples)));
};

/** Go's expvar page, with the values that exist here. */
const debugVars: Endpoint = ({ member, vars }, _query, done) => {
  const { raftTerm, raftIndex, appliedIndex, leader } = member.status();
  const raft = {
    ...{ id: member.id.toString(16), term: raftTerm, commit: raftIndex, applied: appliedIndex },
    ...{
      lead: leader.toString(16),
      raftState: leader === member.id ? "StateLeader" : "StateFollower",
    },
  };
  done(
    answerOf(200, json, `${JSON.stringify({ ...vars?.(), "raft.status": raft }, undefined, 1)}\n`),
  );
};

/**
 * The check behind a path. Undefined: the path belongs to another group, or names no check of this
 * group.
 */
function checkEndpoint(
  path: string,
  prefix: string,
  checks: readonly HealthCheck[],
): Endpoint | undefined {
  if (path === prefix) {
    return (subject, query, done) => {
      const excluded = query.getAll("exclude");
      const wanted = checks.filter(({ name }) => !excluded.includes(name));
      answerChecks(subject.member, wanted, { isVerbose: query.has("verbose") }, done);
    };
  }
  const one = checks.filter(({ name }) => path === `${prefix}/${name}`);
  if (one.length === 0) return undefined;
  return (subject, query, done) =>
    answerChecks(subject.member, one, { isVerbose: query.has("verbose") }, done);
}

function answerChecks(
  member: Member,
  checks: readonly HealthCheck[],
  { isVerbose }: { readonly isVerbose: boolean },
  done: PageResponse,
): void {
  runChecks(member, checks, (failures) => {
    const isHealthy = failures.every((failure) => failure === undefined);
    const lines = checks.map(({ name }, place) => {
      const failure = failures[place];
      return failure === undefined ? `[+]${name} ok\n` : `[-]${name} failed: ${failure}\n`;
    });
    const report = isVerbose || !isHealthy ? lines.join("") : "";
    done(answerOf(isHealthy ? 200 : 503, text, isHealthy ? `${report}ok\n` : report));
  });
}

function answerOf(
  status: number,
  contentType: string,
  body: string,
  more: Readonly<Record<string, string>> = {},
): HttpAnswer {
  return { status, headers: { "Content-Type": contentType, ...more }, body };
}
