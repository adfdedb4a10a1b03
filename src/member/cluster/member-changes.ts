/**
 * Requests to add, remove, update or promote a member. This member checks and proposes them. It
 * passes a promotion to the leader.
 */
import type { Done } from "../../base/done.js";
import { KvError } from "../../base/errors.js";
import { PeerMethod } from "../../peers/codec.js";
import type { LeaderQuestion } from "../../peers/leader-requests.js";
import type { Peers } from "../../peers/peers.js";
import type { Applied, MemberRecord } from "../../state/types.js";
import { type Change, type ChangeRequest, type Client, noClient } from "../gate/requests.js";
import type { ChangingRpc } from "../gate/table.js";
import type { Membership } from "./membership.js";

type Outcome = {
  readonly member: MemberRecord | undefined;
  readonly members: readonly MemberRecord[];
};

/**
 * Errors that a member gives which does not lead, or no longer leads: the question goes to the next
 * leader.
 */
const leaderGone: ReadonlySet<string> = new Set(["notLeader", "noLeader", "stopped"]);

export interface MemberChangesParts {
  readonly peers: Pick<Peers, "serve">;
  readonly membership: Pick<Membership, "add" | "promote" | "remove" | "update">;
  /** Proposes a change that the rules of admission allow. */
  change(rpc: ChangingRpc, request: ChangeRequest, done: Done<Applied>): void;
  isLeader(): boolean;
  /** Asks whichever member leads, until one answers. */
  askLeader<T>(question: LeaderQuestion<T>, done: Done<T>): void;
  readBarrier(done: Done<void>): void;
  members(): readonly MemberRecord[];
}

export class MemberChanges {
  readonly #parts: MemberChangesParts;

  constructor(parts: MemberChangesParts) {
    this.#parts = parts;
    parts.peers.serve(PeerMethod.promote, (_from, body, done) => this.#promoteFor(body, done));
  }

  add(
    client: Client,
    of: { readonly peerUrls: readonly string[]; readonly isLearner: boolean },
    done: Done<{ readonly member: MemberRecord; readonly members: readonly MemberRecord[] }>,
  ): void {
    const change = this.#parts.membership.add(of.peerUrls, of.isLearner);
    this.#change("/etcdserverpb.Cluster/MemberAdd", client, change, (result) => {
      if (result instanceof KvError) done(result);
      else done({ member: result.member as MemberRecord, members: result.members });
    });
  }

  remove(client: Client, id: bigint, done: Done<readonly MemberRecord[]>): void {
    const change = this.#parts.membership.remove(id);
    this.#change("/etcdserverpb.Cluster/MemberRemove", client, change, (result) =>
      done(membersOf(result)),
    );
  }

  update(
    client: Client,
    of: { readonly id: bigint; readonly peerUrls: readonly string[] },
    done: Done<readonly MemberRecord[]>,
  ): void {
    const change = this.#parts.membership.update(of.id, of.peerUrls);
    this.#change("/etcdserverpb.Cluster/MemberUpdate", client, change, (result) =>
      done(membersOf(result)),
    );
  }

  /**
   * Only the leader knows how much log a learner has, so any other member passes the request to it.
   */
  promote(client: Client, id: bigint, done: Done<readonly MemberRecord[]>): void {
    let asked = 0;
    const question: LeaderQuestion<void> = {
      method: PeerMethod.promote,
      here: (answer) => {
        asked++;
        const change = this.#parts.membership.promote(id);
        this.#change("/etcdserverpb.Cluster/MemberPromote", client, change, (result) =>
          answer(result instanceof KvError ? result : undefined),
        );
      },
      encode: () => {
        asked++;
        return encodeId(id);
      },
      decode: () => undefined,
      isFinal: ({ reason }) => !leaderGone.has(reason),
    };
    this.#parts.askLeader(question, (error) => {
      // A leader that was asked before may have promoted the learner without its answer arriving
      // here.
      const isDone = asked > 1 && error instanceof KvError && error.reason === "memberNotLearner";
      if (error instanceof KvError && !isDone) done(error);
      // The leader committed the change. After a read barrier this member has applied it, too.
      else this.#parts.readBarrier((refusal) => done(refusal ?? this.#parts.members()));
    });
  }

  #promoteFor(body: Uint8Array, done: Done<Uint8Array>): void {
    if (!this.#parts.isLeader() || body.length !== 8) {
      done(new KvError("notLeader"));
      return;
    }
    const id = new DataView(body.buffer, body.byteOffset, 8).getBigUint64(0);
    const change = this.#parts.membership.promote(id);
    this.#change("/etcdserverpb.Cluster/MemberPromote", noClient, change, (result) => {
      done(result instanceof KvError ? result : new Uint8Array(0));
    });
  }

  #change(rpc: ChangingRpc, client: Client, change: Change | KvError, done: Done<Outcome>): void {
    if (change instanceof KvError) {
      done(change);
      return;
    }
    this.#parts.change(rpc, { client, change }, (applied) => {
      if (applied instanceof KvError) done(applied);
      else if (applied.outcome instanceof KvError) done(applied.outcome);
      else if (applied.outcome.kind === "members") done(applied.outcome);
      else done(new KvError("stopped"));
    });
  }
}

function encodeId(id: bigint): Uint8Array {
  const body = new Uint8Array(8);
  new DataView(body.buffer).setBigUint64(0, id);
  return body;
}

function membersOf(
  result: KvError | { readonly members: readonly MemberRecord[] },
): KvError | readonly MemberRecord[] {
  return result instanceof KvError ? result : result.members;
}
