/**
 * The HTTP pages on a member's peer address, as in etcd: /members/hashkv for etcd's corruption
 * checks and for tools, /members and /version. GET only.
 */
import { type ErrorReason, KvError } from "../base/errors.js";
import type { PageAnswer, PageRequest } from "../platform/network.js";
import type { Member } from "./types.js";

const text = "text/plain; charset=utf-8";
const json = "application/json";

/** Texts that etcd gives on this page without the prefix "etcdserver: ". */
const pageTexts: { readonly [reason in ErrorReason]?: string } = {
  compacted: "mvcc: required revision has been compacted",
  futureRevision: "mvcc: required revision is a future revision",
};

/** Answers a request of a page. Calls `done` once, possibly inside the call. */
export function answerPage(
  request: PageRequest,
  member: Member,
  done: (answer: PageAnswer) => void,
): void {
  const page = pages.get(request.path);
  if (page === undefined) done(plain(404, "404 page not found"));
  else if (request.method !== "GET") {
    done({ ...plain(405, "Method Not Allowed"), headers: { Allow: "GET", "Content-Type": text } });
  } else page(request, member, done);
}

type Page = (request: PageRequest, member: Member, done: (answer: PageAnswer) => void) => void;

const hashKv: Page = ({ clusterId, body }, member, done) => {
  const own = member.clusterId.toString(16);
  if (clusterId !== undefined && clusterId !== own) {
    done(plain(412, "cluster ID mismatch"));
    return;
  }
  const revision = revisionIn(body);
  if (revision === undefined) {
    done(plain(400, "error unmarshalling request"));
    return;
  }
  const refusal = member.admitPage("peer /members/hashkv");
  if (refusal !== undefined) {
    done(plain(400, refusal.message));
    return;
  }
  member.hashKv(revision, (result) => {
    if (result instanceof KvError) {
      done(plain(400, pageTexts[result.reason] ?? result.message));
      return;
    }
    const answer = {
      header: { revision: result.currentRevision },
      hash: result.hash,
      compact_revision: result.compactRevision,
      hash_revision: result.hashRevision,
    };
    done(page(own, JSON.stringify(answer)));
  });
};

const members: Page = (_request, member, done) => {
  const records = member.machine.cluster.members().map((record) => {
    const rest = {
      peerURLs: record.peerUrls,
      ...(record.isLearner ? { isLearner: true } : {}),
      name: record.name,
      clientURLs: record.clientUrls,
    };
    // The id is a JSON number as in etcd. JSON.stringify cannot write one that large.
    return `{"id":${record.id},${JSON.stringify(rest).slice(1)}`;
  });
  done(page(member.clusterId.toString(16), `[${records.join(",")}]`));
};

const version: Page = (_request, member, done) => {
  const cluster = member.machine.cluster.clusterVersion() || "not_decided";
  const body = JSON.stringify({ etcdserver: member.status().version, etcdcluster: cluster });
  done({ status: 200, headers: { "Content-Type": json }, body });
};

const pages: ReadonlyMap<string, Page> = new Map([
  ["/members/hashkv", hashKv],
  ["/members", members],
  ["/version", version],
]);

/** The revision that the body asks for. Undefined: the body is not a valid request. */
function revisionIn(body: string): number | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) return undefined;
    const { revision = 0 } = parsed as { readonly revision?: unknown };
    return Number.isSafeInteger(revision) ? (revision as number) : undefined;
  } catch {
    return undefined;
  }
}

function plain(status: number, body: string): PageAnswer {
  return { status, headers: { "Content-Type": text }, body: `${body}\n` };
}

function page(clusterId: string, body: string): PageAnswer {
  const headers = { "Content-Type": json, "X-Etcd-Cluster-Id": clusterId };
  return { status: 200, headers, body: `${body}\n` };
}
