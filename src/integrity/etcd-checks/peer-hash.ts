/** Hashes for etcd's checks, asked of other members and answered to them. */
import type { Done } from "../../base/done.js";
import { KvError } from "../../base/errors.js";
import { PeerMethod } from "../../peers/codec.js";
import type { Peers } from "../../peers/peers.js";
import {
  decodeAskedRevision,
  decodeHash,
  encodeAskedRevision,
  encodeHash,
  type MemberHash,
} from "./member-hash.js";

/**
 * Answers other members' questions, unless `refusal` says why not. A revision that is no safe
 * integer is refused as a future one.
 */
export function serveHash(
  peers: Pick<Peers, "serve">,
  member: {
    refusal(): KvError | undefined;
    hashKv(revision: number, done: Done<MemberHash>): void;
  },
): void {
  peers.serve(PeerMethod.etcdHash, (_from, body, done) => {
    const revision = decodeAskedRevision(body);
    const refusal = member.refusal();
    if (refusal !== undefined) done(refusal);
    else if (!Number.isSafeInteger(revision)) done(new KvError("futureRevision"));
    else member.hashKv(revision, (hash) => done(hash instanceof KvError ? hash : encodeHash(hash)));
  });
}

/**
 * Asks one member for its hash at a revision (0: its newest). Calls `done` once, with the refusal
 * or a timeout, too.
 */
export function askHash(
  request: (to: bigint, method: PeerMethod, body: Uint8Array, done: Done<Uint8Array>) => void,
  of: { readonly id: bigint; readonly revision: number },
  done: Done<MemberHash>,
): void {
  request(of.id, PeerMethod.etcdHash, encodeAskedRevision(of.revision), (answer) =>
    done(answer instanceof KvError ? answer : decodeHash(answer)),
  );
}
