/**
 * Counts what was refused on the peer port, notes which peers can be reached, and logs both. A
 * stranger can be refused at any rate, so each reason is logged at a bounded rate.
 */
import { Repeats } from "../base/repeats.js";
import type { Rejection, RejectionReason } from "../platform/network.js";
import type { Platform } from "../platform/platform.js";
import type { PeerLinks } from "./links.js";

/** Milliseconds between log lines of one member and reason. All strangers count as one member. */
const tellEveryMs = 60_000;

const texts: Readonly<Record<RejectionReason, string>> = {
  tls_refused: "refused a connection on the peer address that did not pass TLS",
  not_peer_protocol: "closed a connection on the peer address that does not speak its protocol",
  other_cluster: "refused a member of another cluster",
  other_member: "refused a peer that looked for another member at our address",
  removed_member: "refused a member that was removed from the cluster",
  lost_data: "refused a member that lost its data directory and came back under its old id",
  unknown_member: "refused a peer that no member of the cluster knows",
  unproven_member:
    "refused a peer that could not be confirmed at the peer URL of the member it claims to be",
  too_many_connections: "closed a connection on the peer address: too many have not greeted",
  frame_too_large: "closed a peer connection: a message is larger than its kind allows",
  frame_stalled: "closed a peer connection: a message did not come to its end",
  frame_damaged: "closed a damaged peer connection",
  unreadable: "dropped an unreadable raft message",
  not_a_member: "dropped a message of somebody who is no member",
  malformed: "dropped a raft message that no member sends",
  term_out_of_range: "dropped a raft message whose term is out of range",
  index_beyond_log:
    "dropped what a raft message says of entries that this member's log does not hold",
};

/** The listener has logged these refusals already, with their cause. */
const toldBefore: ReadonlySet<RejectionReason> = new Set(["tls_refused"]);

/** Refusals that are normal while members come and go: they are logged at a lower level. */
const quiet: ReadonlySet<RejectionReason> = new Set(["removed_member", "other_cluster"]);

export class PeerGuard {
  readonly #platform: Pick<Platform, "clock" | "log">;
  readonly #links: Pick<PeerLinks, "ids" | "knows">;
  readonly #counts = new Map<RejectionReason, number>();
  readonly #repeats = new Repeats(tellEveryMs);
  readonly #connected = new Set<bigint>();
  readonly #losses = new Map<bigint, number>();
  /** How often the connection to a peer broke, summed over all peers. */
  lost = 0;

  constructor(platform: Pick<Platform, "clock" | "log">, links: Pick<PeerLinks, "ids" | "knows">) {
    this.#platform = platform;
    this.#links = links;
  }

  /** Refusals by reason; contains only reasons that occurred. */
  counts(): ReadonlyMap<RejectionReason, number> {
    return this.#counts;
  }

  /** All peers, whether each can be reached now, and how often it was lost. */
  peers(): readonly { readonly id: bigint; readonly isUp: boolean; readonly losses: number }[] {
    return this.#links.ids().map((id) => {
      const losses = this.#losses.get(id) ?? 0;
      return { id, isUp: this.#connected.has(id), losses };
    });
  }

  rejected({ reason, from, fields }: Rejection): void {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
    if (toldBefore.has(reason)) return;
    const key = `${reason} ${this.#links.knows(from) ? from : ""}`;
    const held = this.#repeats.tell(key, this.#platform.clock.now());
    if (held === undefined) return;
    this.#platform.log(quiet.has(reason) ? "info" : "warn", texts[reason], {
      "remote-peer-id": from.toString(16),
      ...fields,
      ...(held === 0 ? {} : { "more-since-last-time": held }),
    });
  }

  linkChanged(id: bigint, isUp: boolean): void {
    if (isUp) this.#connected.add(id);
    else {
      this.#connected.delete(id);
      this.#losses.set(id, (this.#losses.get(id) ?? 0) + 1);
      this.lost++;
    }
    const message = isUp ? "connected to a peer" : "lost the connection to a peer";
    this.#platform.log(isUp ? "info" : "warn", message, { "remote-peer-id": id.toString(16) });
  }
}
