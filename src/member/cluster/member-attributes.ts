/**
 * Makes a started member known to the cluster: proposes its attributes (name, client URLs, version and
 * incarnation) until they stand in the replicated state. Then the member is ready to serve.
 */
import type { Clock } from "../../platform/clock.js";
import type { ClusterReader, MemberRecord } from "../../state/types.js";
import { ClusterMemberAttrSetRequest } from "../../wire/gen/internal.js";
import { RequestField } from "../../wire/proposal.js";

const retryMs = 500;

export interface MemberAttributesParts {
  readonly clock: Clock;
  readonly selfId: bigint;
  readonly name: string;
  readonly clientUrls: readonly string[];
  readonly serverVersion: string;
  readonly incarnation: bigint;
  cluster(): ClusterReader;
  hasLeader(): boolean;
  propose(field: RequestField, body: Uint8Array, done: () => void): void;
  /** Called once, when the attributes stand in the state for the first time. */
  published(): void;
}

export class MemberAttributes {
  readonly #parts: MemberAttributesParts;
  #isPublished = false;
  /**
   * The member list in which this member's row was last found current. The list is replaced whole
   * when a member changes.
   */
  #seen: readonly MemberRecord[] | undefined;
  #isProposing = false;
  #isStopped = false;

  constructor(parts: MemberAttributesParts) {
    this.#parts = parts;
  }

  /** Call when entries were applied or the leader changed. Proposes what is missing. */
  poke(): void {
    if (this.#isStopped) return;
    const cluster = this.#parts.cluster();
    const members = cluster.members();
    if (members === this.#seen) return;
    // Without a leader this state may be old, so the member must not become ready by it.
    const self = cluster.member(this.#parts.selfId);
    if (self === undefined || !this.#parts.hasLeader()) return;
    if (!this.#isCurrent(self)) {
      // This may happen again later: an entry from an earlier life may be applied after this one's.
      this.#publish();
      return;
    }
    this.#seen = members;
    if (this.#isPublished) return;
    this.#isPublished = true;
    this.#parts.published();
  }

  stop(): void {
    this.#isStopped = true;
  }

  #isCurrent(self: MemberRecord): boolean {
    const { name, clientUrls, serverVersion, incarnation } = this.#parts;
    return (
      self.name === name &&
      self.incarnation === incarnation &&
      self.serverVersion === serverVersion &&
      sameList(self.clientUrls, clientUrls)
    );
  }

  #publish(): void {
    if (this.#isProposing) return;
    this.#isProposing = true;
    const body = ClusterMemberAttrSetRequest.encode({
      member_ID: this.#parts.selfId,
      member_attributes: { name: this.#parts.name, client_urls: [...this.#parts.clientUrls] },
      server_version: this.#parts.serverVersion,
      incarnation: this.#parts.incarnation,
    }).finish();
    this.#parts.propose(RequestField.clusterMemberAttrSet, body, () => {
      this.#parts.clock.after(retryMs, () => {
        this.#isProposing = false;
        this.poke();
      });
    });
  }
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item, place) => item === b[place]);
}
