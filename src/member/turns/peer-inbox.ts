/**
 * Dispatches messages of other members: requests and answers to the part that serves them, raft
 * messages to raft.
 */
import type { PeerGuard } from "../../peers/guard.js";
import type { PeerLinks } from "../../peers/links.js";
import type { Peers } from "../../peers/peers.js";
import { soundMessage, untakenPart } from "../../peers/sound-message.js";
import type { Network } from "../../platform/network.js";
import type { Message, RaftNode } from "../../raft/types.js";
import type { Fingerprint } from "../../state/fingerprint.js";
import type { Incarnations } from "../incarnation/incarnations.js";

export interface PeerInboxParts {
  readonly peers: Pick<Peers, "received">;
  readonly network: Network;
  readonly raft: RaftNode;
  readonly links: Pick<PeerLinks, "knows">;
  readonly guard: Pick<PeerGuard, "rejected">;
  readonly incarnations: Pick<Incarnations, "admits">;
  isStopped(): boolean;
  isRemoved(id: bigint): boolean;
  /** Compares the sender's fingerprint with this member's. */
  compare(from: bigint, fingerprint: Fingerprint): void;
  /** Takes an offered snapshot. Its content is fetched before raft hears of it. */
  snapshotOffered(message: Message): void;
  raftReceived(message: Message): void;
}

export class PeerInbox {
  readonly #parts: PeerInboxParts;

  constructor(parts: PeerInboxParts) {
    this.#parts = parts;
  }

  received(from: bigint, bytes: Uint8Array): void {
    const { peers, network, links, guard, raft, incarnations } = this.#parts;
    if (this.#parts.isStopped() || this.#parts.isRemoved(from)) return;
    if (!links.knows(from)) {
      guard.rejected({ reason: "not_a_member", from, fields: {} });
      return;
    }
    const envelope = peers.received(network, from, bytes);
    if (envelope === undefined) return;
    const message = soundMessage(envelope.message, from, raft);
    if ("reason" in message) {
      guard.rejected(message);
      return;
    }
    const untaken = untakenPart(message, raft);
    if (untaken !== undefined) guard.rejected(untaken);
    if (!incarnations.admits(message)) return;
    if (envelope.fingerprint !== undefined) this.#parts.compare(from, envelope.fingerprint);
    if (message.type === "MsgSnap") this.#parts.snapshotOffered(message);
    else this.#parts.raftReceived(message);
  }
}
