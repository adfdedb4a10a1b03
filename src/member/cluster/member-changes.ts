/**
 * Requests to add, remove, update or promote a member. This member checks and proposes them. It
 * passes a promotion to the leader.
 */
import type { Done } from "../../base/done.js";
import { KvError } from "../../base/errors.js";
import { PeerMethod } from "../../peers/codec.js";
import type { Peers } from "../../peers/peers.js";
import type { Applied, MemberRecord } from "../../state/types.js";
import type { ConfChangeRequest } from "../../wire/gen/internal.js";
import type { Membership } from "./membership.js";

type Change = Omit<ConfChangeRequest, "header">;
type Outcome = {
  readonly member: MemberRecord | undefined;
  readonly members: readonly MemberRecord[];
};

export interface MemberChangesParts {
  readonly peers: Pick<Peers, "serve">;
  readonly membership: Membership;
  /** Why this member takes no change now. */
  refusal(): KvError | undefined;
  propose(change: Change, done: Done<Applied>): void;
  isLeader(): boolean;
  leader(): bigint;
  request(to: bigint, method: PeerMethod, body: Uint8Array, done: Done<Uint8Array>): void;
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
    peerUrls: readonly string[],
    isLearner: boolean,
    done: Done<{ readonly member: MemberRecord; readonly members: readonly MemberRecord[] }>,
  ): void {
    this.#change(this.#parts.membership.add(peerUrls, isLearner), (result) => {
      if (result instanceof KvError) done(result);
      else done({ member: result.member as MemberRecord, members: result.members });
    });
  }

  remove(id: bigint, done: Done<readonly MemberRecord[]>): void {
    this.#change(this.#parts.membership.remove(id), (result) => done(membersOf(result)));
  }

  update(id: bigint, peerUrls: readonly string[], done: Done<readonly MemberRecord[]>): void {
    this.#change(this.#parts.membership.update(id, peerUrls), (result) => done(membersOf(result)));
  }

  /**
   * Only the leader knows how much log a learner has, so any other member passes the request to it.
   */
  promote(id: bigint, done: Done<readonly MemberRecord[]>): void {
    if (this.#parts.isLeader()) {
      this.#change(this.#parts.membership.promote(id), (result) => done(membersOf(result)));
      return;
    }
    const leader = this.#parts.leader();
    if (leader === 0n) {
      done(new KvError("noLeader"));
      return;
    }
    const body = new Uint8Array(8);
    new DataView(body.buffer).setBigUint64(0, id);
    this.#parts.request(leader, PeerMethod.promote, body, (answer) => {
      if (answer instanceof KvError) done(answer);
      // The leader committed the change. After a read barrier this member has applied it, too.
      else this.#parts.readBarrier((error) => done(error ?? this.#parts.members()));
    });
  }

  #promoteFor(body: Uint8Array, done: Done<Uint8Array>): void {
    if (!this.#parts.isLeader() || body.length !== 8) {
      done(new KvError("notLeader"));
      return;
    }
    const id = new DataView(body.buffer, body.byteOffset, 8).getBigUint64(0);
    this.#change(this.#parts.membership.promote(id), (result) => {
      done(result instanceof KvError ? result : new Uint8Array(0));
    });
  }

  #change(change: Change | KvError, done: Done<Outcome>): void {
    const refusal = change instanceof KvError ? change : this.#parts.refusal();
    if (refusal !== undefined) {
      done(refusal);
      return;
    }
    this.#parts.propose(change as Change, (applied) => {
      if (applied instanceof KvError) done(applied);
      else if (applied.outcome instanceof KvError) done(applied.outcome);
      else if (applied.outcome.kind === "members") done(applied.outcome);
      else done(new KvError("stopped"));
    });
  }
}

function membersOf(
  result: KvError | { readonly members: readonly MemberRecord[] },
): KvError | readonly MemberRecord[] {
  return result instanceof KvError ? result : result.members;
}
