/**
 * The operators of a simulated cluster. They start nodes that have stopped, add, promote and remove
 * members through any member that answers, and replace a node whose disk is gone. They know only
 * what an operator could know: answers, error messages, and which machines are up.
 */
import { DamageError, type ErrorReason, reasonOfText } from "../../base/errors.js";
import { noClient } from "../../member/gate/requests.js";
import { LostDataError } from "../../member/incarnation/lost-data.js";
import { UnlistedMemberError } from "../../member/startup/first-questions.js";
import { ClusterVersionError } from "../../member/startup/version-check.js";
import {
  AlarmRequest,
  AlarmRequest_AlarmAction,
  AlarmType,
  MemberAddRequest,
  MemberPromoteRequest,
  MemberRemoveRequest,
} from "../../wire/gen/rpc.js";
import { RequestField } from "../../wire/proposal.js";
import type { ClientTransport } from "./clients/client-transport.js";
import type { SimCluster } from "./sim-cluster.js";
import type { SimNode } from "./sim-node.js";

const lookEveryMs = 250;
const patienceMs = 3_000;
const service = "/etcdserverpb.Cluster/";
/** After this time, a change without an answer has happened or never will. */
const settledMs = 20_000;
const nodesMax = 14;
/**
 * A member that refuses a peer for this long, and has no leader, must be given addresses to ask.
 */
const refusingMs = 5_000;

/** The outcome of a question: an answer, a promise that nothing happens, or neither. */
type Told = Uint8Array | "refused" | "unknown";

const refusals: ReadonlySet<ErrorReason | undefined> = new Set([
  "notEnoughStartedMembers",
  "unhealthyCluster",
  "tooManyLearners",
  "notSupportedForLearner",
  "learnerNotReady",
  "memberNotFound",
  "peerUrlExists",
]);

interface Job {
  /** One step; true when the job is done. Calls `wait` when it has asked a member something. */
  step(): boolean;
}

export class Operator {
  readonly #cluster: SimCluster;
  readonly #transport: ClientTransport;
  readonly #startAtMs = new Map<SimNode, number>();
  readonly #unknownSinceMs = new Map<SimNode, number>();
  readonly #jobs = new Set<Job>();
  #asked = 0;

  constructor(cluster: SimCluster, transport: ClientTransport) {
    this.#cluster = cluster;
    this.#transport = transport;
    this.#look();
  }

  /** The configuration is about to change, or may be. */
  isChanging(): boolean {
    return this.#jobs.size > 0;
  }

  /** Jobs that are not done. */
  pending(): number {
    return this.#jobs.size + this.#startAtMs.size;
  }

  /** Starts the node after this time, and again until it stays up. */
  startLater(node: SimNode, delayMs: number): void {
    this.#startAtMs.set(node, this.#cluster.clock.now() + delayMs);
  }

  /** Runs every job whose time has come. */
  hurry(): void {
    for (const node of this.#startAtMs.keys()) this.#startAtMs.set(node, 0);
  }

  /** An error ended a life: what the operator does about it. */
  failed(node: SimNode, error: Error): void {
    if (node.state === "wiped") return;
    if (error instanceof DamageError && node.isDamaged) this.replace(node);
    else if (error instanceof LostDataError) this.replace(node);
    else if (error instanceof UnlistedMemberError) this.#unknown(node);
    else {
      // The cluster does not accept the program of another version: back to the one that ran
      // before.
      if (error instanceof ClusterVersionError) node.wantedVersion = error.clusterVersion;
      this.startLater(node, 1_000);
    }
  }

  /** No member that was asked knows this member: they lag, or it was removed before it ever ran. */
  #unknown(node: SimNode): void {
    const nowMs = this.#cluster.clock.now();
    const sinceMs = this.#unknownSinceMs.get(node) ?? nowMs;
    this.#unknownSinceMs.set(node, sinceMs);
    const isGone = nowMs - sinceMs > settledMs && !this.#isMember(node.peerUrl);
    if (isGone) this.#cluster.wipe(node);
    else this.startLater(node, 1_000);
  }

  /** Ends the alarm NOSPACE of this node, at the leader. */
  disarm(node: SimNode): void {
    const body = AlarmRequest.encode({
      action: AlarmRequest_AlarmAction.DEACTIVATE,
      memberID: node.memberId ?? 0n,
      alarm: AlarmType.NOSPACE,
    }).finish();
    const request = { field: RequestField.alarm, body, growthBytes: 0, client: noClient };
    this.#cluster.leader()?.write("/etcdserverpb.Maintenance/Alarm", request, () => {});
  }

  addMember(asLearner: boolean): void {
    if (this.#cluster.nodes.length >= nodesMax) return;
    const { nodes } = this.#cluster;
    const name = `m${nodes.length + 1}`;
    const urls = nodes.filter(({ state }) => state !== "wiped").map((node) => node.peerUrl);
    const initialCluster = [
      ...urls.map((url, place) => ({ name: `known${place}`, peerUrls: [url] })),
      { name, peerUrls: [`http://${name}:2380`] },
    ];
    // Reserves the name at once, because two of these jobs may run at the same time.
    const node = this.#cluster.addNode(name, { initialCluster, initialClusterState: "existing" });
    this.#jobs.add(this.#joining(node, asLearner));
  }

  removeMember(node: SimNode): void {
    const id = node.member?.id;
    if (id !== undefined) this.#jobs.add(this.#leaving(node, id));
  }

  /** The disk is lost: removes the member and adds a new one in its place. */
  replace(node: SimNode): void {
    const id = node.memberId;
    this.#startAtMs.delete(node);
    this.#cluster.wipe(node);
    if (id === undefined) {
      node.isDamaged = false;
      return;
    }
    this.#jobs.add(this.#leaving(node, id, () => this.addMember(false)));
  }

  #look(): void {
    const { clock } = this.#cluster;
    for (const [node, atMs] of [...this.#startAtMs]) {
      if (clock.now() < atMs || node.state === "stopping") continue;
      this.#startAtMs.delete(node);
      if (node.state === "down") this.#cluster.start(node);
    }
    for (const node of this.#cluster.nodes) this.#helpRefusing(node);
    for (const job of [...this.#jobs]) if (job.step()) this.#jobs.delete(job);
    clock.at(lookEveryMs, () => this.#look());
  }

  /**
   * All members that it knows are gone, and it does not know those that were added meanwhile.
   * Starts it again with their addresses (docs/formats.md, "Peer connections").
   */
  #helpRefusing(node: SimNode): void {
    const { nodes, network } = this.#cluster;
    if (node.state !== "up" || node.member?.leader() !== 0n) return;
    if (network.refusesForMs(node.place) < refusingMs) return;
    const initialCluster = nodes
      .filter(({ state }) => state !== "wiped")
      .map(({ name, peerUrl }) => ({ name, peerUrls: [peerUrl] }));
    node.config = { ...node.config, initialCluster };
    this.#cluster.stop(node);
    this.startLater(node, 500);
  }

  /** Asks for the addition until it succeeds, starts the node, promotes it. */
  #joining(node: SimNode, asLearner: boolean): Job {
    const { clock } = this.#cluster;
    let state: "add" | "wait" | "promote" | "done" = "add";
    let attempts = 0;
    let unknownAtMs = Number.NEGATIVE_INFINITY;
    const request = MemberAddRequest.encode({ peerURLs: [node.peerUrl], isLearner: asLearner });
    const body = request.finish();
    const started = (): void => {
      this.#cluster.start(node);
      state = asLearner ? "promote" : "done";
    };
    return {
      step: () => {
        if (node.state === "wiped") return true;
        if (state === "add") {
          const isIn = this.#isMember(node.peerUrl);
          if (isIn) started();
          else if (++attempts > 20 && clock.now() - unknownAtMs > settledMs) {
            this.#cluster.wipe(node);
            return true;
          } else {
            state = "wait";
            this.#ask("MemberAdd", body, (answer) => {
              if (answer === "unknown") unknownAtMs = clock.now();
              if (answer instanceof Uint8Array) started();
              else state = "add";
            });
          }
        } else if (state === "promote" && node.member !== undefined) {
          if (!this.#isLearner(node.member.id)) return true;
          // Learners may stay learners: nothing depends on them.
          if (++attempts > 60) return true;
          state = "wait";
          const promote = MemberPromoteRequest.encode({ ID: node.member.id }).finish();
          this.#ask("MemberPromote", promote, () => {
            state = "promote";
          });
        }
        return state === "done";
      },
    };
  }

  #leaving(node: SimNode, id: bigint, then: () => void = () => {}): Job {
    let isWaiting = false;
    let unknownAtMs = Number.NEGATIVE_INFINITY;
    const { clock } = this.#cluster;
    const body = MemberRemoveRequest.encode({ ID: id }).finish();
    let attempts = 0;
    return {
      step: () => {
        if (this.#cluster.members().some((member) => member.machine.cluster.isRemoved(id))) {
          this.#startAtMs.delete(node);
          this.#cluster.wipe(node);
          node.isDamaged = false;
          node.hasForgotten = false;
          then();
          return true;
        }
        if (isWaiting) return false;
        // A healthy member may stay, if the removal was refused each time.
        const isSettled = clock.now() - unknownAtMs > settledMs;
        if (node.state !== "wiped" && ++attempts > 8 && isSettled) return true;
        isWaiting = true;
        this.#ask("MemberRemove", body, (answer) => {
          if (answer !== "refused") unknownAtMs = clock.now();
          isWaiting = false;
        });
        return false;
      },
    };
  }

  #ask(method: string, body: Uint8Array, done: (answer: Told) => void): void {
    const serving = this.#cluster.nodes.filter((node) => node.isServing());
    const node = serving[++this.#asked % Math.max(1, serving.length)];
    if (node === undefined) {
      this.#cluster.clock.at(lookEveryMs, () => done("refused"));
      return;
    }
    this.#transport.unary({ node, path: service + method, patienceMs }, body, (result) => {
      if (result instanceof Uint8Array) done(result);
      else done(refusals.has(reasonOfText(result.message)) ? "refused" : "unknown");
    });
  }

  #isMember(peerUrl: string): boolean {
    return this.#cluster
      .members()
      .some(({ machine }) => machine.cluster.members().some((m) => m.peerUrls.includes(peerUrl)));
  }

  #isLearner(id: bigint): boolean {
    return this.#cluster
      .members()
      .every(({ machine }) => machine.cluster.member(id)?.isLearner !== false);
  }
}
