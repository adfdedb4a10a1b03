/**
 * Collects what one round of `lockstep audit` sees. It brings each member up to date by a
 * linearizable read, takes samples of Status from all at the same time until they suffice, then
 * asks all for HashKV of the newest revision that all have. A member that does not answer never
 * delays the others for longer than its timeouts. Decides nothing: src/audit does.
 */
import { setTimeout as sleep } from "node:timers/promises";
import * as grpc from "@grpc/grpc-js";
import { confirmed } from "../../audit/conflicts.js";
import {
  type HashAnswer,
  type HashAsk,
  type HashRefusal,
  lastSample,
  type MemberEvidence,
  type RoundEvidence,
  type StatusSample,
} from "../../audit/evidence.js";
import { compareHashes, isAnswer } from "../../audit/hash-comparison.js";
import { restOf, restSamples, skewsOf } from "../../audit/revision-skew.js";
import type { Member } from "../../wire/gen/rpc.js";
import type { AuditFlags } from "./audit-flags.js";
import { CallFailure, MemberConnection } from "./member-connection.js";
import { clientUrls, leadsTo, nameOf, unaskedOf, unstartedOf } from "./member-list.js";

/**
 * Samples in a pass. One more than rest needs, so that a pass that meets the application of an
 * entry can still end at rest.
 */
const samplesPerPass = restSamples + 1;
const sampleGapMs = 60;
/** How many passes there are while the members are busy: without a contradiction, and with one. */
const busyPasses = 3;
const passesMax = 6;
const asksMax = 5;
/**
 * The first pause between questions. Each pause is longer, because a compaction may be in progress.
 */
const askGapMs = 250;
const unknownFailure = { code: grpc.status.UNKNOWN, reason: undefined };

/** The state of one member during a round. */
interface Watched {
  readonly connection: MemberConnection;
  readonly passes: StatusSample[][];
  failure: string | undefined;
  readFailure: string | undefined;
}

export class ClusterAuditor {
  readonly #flags: Pick<AuditFlags, "endpoints" | "isWholeCluster" | "access">;
  readonly #connections = new Map<string, MemberConnection>();

  constructor(flags: Pick<AuditFlags, "endpoints" | "isWholeCluster" | "access">) {
    this.#flags = flags;
  }

  async round(): Promise<RoundEvidence> {
    const list = await this.#memberList();
    const endpoints = this.#flags.isWholeCluster ? clientUrls(list) : this.#flags.endpoints;
    const watched = endpoints.map((endpoint) => ({
      connection: this.#connection(endpoint),
      passes: [],
      failure: undefined,
      readFailure: undefined,
    }));
    await Promise.all(watched.map(bringUpToDate));
    await takePasses(watched);
    const asks = await takeHashes(watched);
    const members = watched.map((each) => evidenceOf(each, list));
    const unstarted = this.#flags.isWholeCluster ? unstartedOf(list) : [];
    return {
      members: [...members, ...unstarted],
      asks,
      clusterSize: list.length === 0 ? undefined : list.filter((one) => !one.isLearner).length,
      unasked: this.#flags.isWholeCluster ? [] : unaskedOf(members, list),
    };
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.close();
  }

  #connection(endpoint: string): MemberConnection {
    let connection = this.#connections.get(endpoint);
    if (connection === undefined) {
      connection = new MemberConnection(endpoint, this.#flags.access);
      this.#connections.set(endpoint, connection);
    }
    return connection;
  }

  /**
   * The member list of the first endpoint that answers. @throws Error only if the member list is
   * the only source of members
   */
  async #memberList(): Promise<readonly Member[]> {
    const asked = this.#flags.endpoints.map(async (endpoint) => {
      const connection = this.#connection(endpoint);
      await connection.connect();
      return (await connection.call("memberList", { linearizable: false })).members;
    });
    try {
      return await Promise.any(asked);
    } catch (error) {
      if (!this.#flags.isWholeCluster) return [];
      const [first] = (error as AggregateError).errors as readonly Error[];
      throw new Error(`no endpoint gives the list of members: ${first?.message}`);
    }
  }
}

async function bringUpToDate(member: Watched): Promise<void> {
  const { connection } = member;
  try {
    await connection.connect();
    // A learner answers no linearizable reads.
    if ((await connection.call("status", {})).isLearner) return;
  } catch (error) {
    member.failure = (error as Error).message;
    return;
  }
  try {
    await connection.call("range", { key: Buffer.from([0]), count_only: true });
  } catch (error) {
    // The member made the read and refused only its result.
    if (!isDenied(error as Error)) member.readFailure = (error as Error).message;
  }
}

async function sample({ connection }: Watched): Promise<StatusSample> {
  const { header, version, leader, raftAppliedIndex, isLearner, errors } = await connection.call(
    "status",
    {},
  );
  return {
    clusterId: header?.cluster_id ?? 0n,
    memberId: header?.member_id ?? 0n,
    version,
    revision: Number(header?.revision ?? 0n),
    appliedIndex: Number(raftAppliedIndex),
    isLeader: leader !== 0n && leader === header?.member_id,
    isLearner,
    errors,
  };
}

function reachable(watched: readonly Watched[]): readonly Watched[] {
  return watched.filter(({ failure }) => failure === undefined);
}

async function takePass(member: Watched): Promise<void> {
  const samples: StatusSample[] = [];
  try {
    for (let at = 0; at < samplesPerPass; at++) {
      if (at > 0) await sleep(sampleGapMs);
      samples.push(await sample(member));
    }
    member.passes.push(samples);
  } catch (error) {
    member.failure = (error as Error).message;
  }
}

async function takePasses(watched: readonly Watched[]): Promise<void> {
  for (let passes = 1; passes <= passesMax; passes++) {
    await Promise.all(reachable(watched).map(takePass));
    const heard = reachable(watched);
    if (heard.length < 2) return;
    const skews = Array.from({ length: passes }, (_, at) =>
      skewsOf(new Map(heard.map((each) => [each.connection.endpoint, each.passes[at] ?? []]))),
    );
    if (confirmed(skews).length > 0) return;
    const isQuiet = skews.at(-1)?.length === 0;
    if (isQuiet && (isTogether(heard) || passes >= busyPasses)) return;
  }
}

/** True if all members rest at one index. */
function isTogether(heard: readonly Watched[]): boolean {
  const rests = heard.map(({ passes }) => restOf(passes.at(-1) ?? [])?.index);
  return rests[0] !== undefined && rests.every((index) => index === rests[0]);
}

async function takeHashes(watched: readonly Watched[]): Promise<readonly HashAsk[]> {
  const asks: HashAsk[] = [];
  while (asks.length < asksMax) {
    const heard = reachable(watched).filter((each) => !lastOf(each).isLearner);
    if (heard.length < 2) return asks;
    if (asks.length > 0) await sleep(askGapMs * asks.length);
    const now = await Promise.all(heard.map((each) => sample(each).catch(() => lastOf(each))));
    const revision = Math.min(...now.map((each) => each.revision));
    // If everything up to the newest revision is compacted, etcd before 3.4.27 and 3.5.10 refuses a
    // request that names that revision. A request without a revision is answered.
    const isNamed = !isCompacted(asks.at(-1));
    asks.push({ revision, outcomes: await askAll(heard, isNamed ? revision : 0) });
    const versions = new Map(
      heard.map((each) => [each.connection.endpoint, lastOf(each).version] as const),
    );
    const { conflicts, agreed } = compareHashes(asks, versions);
    if (conflicts.length > 0 || agreed !== undefined || isHopeless(asks.at(-1))) return asks;
  }
  return asks;
}

function lastOf({ passes }: Watched): StatusSample {
  return passes.at(-1)?.at(-1) as StatusSample;
}

function isCompacted(ask: HashAsk | undefined): boolean {
  return [...(ask?.outcomes.values() ?? [])].some(
    (outcome) => !isAnswer(outcome) && outcome.refused === "compacted",
  );
}

function isHopeless(ask: HashAsk | undefined): boolean {
  return [...(ask?.outcomes.values() ?? [])].some(
    (outcome) =>
      !isAnswer(outcome) && (outcome.refused === "denied" || outcome.refused === "unsupported"),
  );
}

/** @param revision 0 for each member's newest */
async function askAll(
  heard: readonly Watched[],
  revision: number,
): Promise<ReadonlyMap<string, HashAnswer | HashRefusal>> {
  const outcomes = heard.map(async ({ connection }) => {
    try {
      const answer = await connection.call("hashKv", { revision: BigInt(revision) });
      // etcd before 3.6 does not say which revision it hashed. It is the requested one, or else the
      // header's.
      const told = [answer.hash_revision, BigInt(revision), answer.header?.revision ?? 0n];
      const hashed = Number(told.find((each) => each !== 0n) ?? 0n);
      const compactRevision = Number(answer.compact_revision);
      return [
        connection.endpoint,
        { hash: answer.hash, revision: hashed, compactRevision },
      ] as const;
    } catch (error) {
      return [connection.endpoint, refusalOf(error as Error)] as const;
    }
  });
  return new Map<string, HashAnswer | HashRefusal>(await Promise.all(outcomes));
}

function refusalOf(error: Error): HashRefusal {
  const text = error.message;
  const { code, reason } = error instanceof CallFailure ? error : unknownFailure;
  if (reason === "compacted") return { refused: "compacted", text };
  if (reason === "futureRevision") return { refused: "future", text };
  if (code === grpc.status.UNIMPLEMENTED) return { refused: "unsupported", text };
  return { refused: isDenied(error) ? "denied" : "failed", text };
}

/**
 * True if the member knows the call, but this user, or a caller without a user, may not make it.
 */
function isDenied(error: Error): boolean {
  if (!(error instanceof CallFailure)) return false;
  const { code, reason } = error;
  return (
    code === grpc.status.PERMISSION_DENIED ||
    code === grpc.status.UNAUTHENTICATED ||
    reason === "userEmpty" ||
    reason === "authFailed"
  );
}

function evidenceOf(watched: Watched, list: readonly Member[]): MemberEvidence {
  const { connection, passes, failure, readFailure } = watched;
  const { endpoint } = connection;
  const evidence = { endpoint, name: undefined, passes, failure, readFailure };
  const id = lastSample(evidence)?.memberId;
  const member = list.find(({ ID }) => ID === id) ?? list.find((each) => leadsTo(endpoint, each));
  return { ...evidence, name: member === undefined ? undefined : nameOf(member) };
}
