/**
 * Makes a started member known: its name and client URLs go through the log, again until they stand
 * in the replicated state. When they do, the member is ready to serve. The leader also writes the
 * cluster version once.
 */
import type { Clock } from "../platform/clock.js";
import type { ClusterReader } from "../state/types.js";
import { ClusterMemberAttrSetRequest, ClusterVersionSetRequest } from "../wire/gen/internal.js";
import { RequestField } from "./types.js";

/** etcd's version whose behaviour this store implements. */
export const serverVersion = "3.6.0";
export const clusterVersion = "3.6.0";
const retryMs = 500;

export interface PublisherParts {
  readonly clock: Clock;
  readonly selfId: bigint;
  readonly name: string;
  readonly clientUrls: readonly string[];
  cluster(): ClusterReader;
  isLeader(): boolean;
  hasLeader(): boolean;
  propose(field: RequestField, body: Uint8Array, done: () => void): void;
  published(): void;
}

export class Publisher {
  readonly #parts: PublisherParts;
  #isPublished = false;
  #isProposing = false;
  #isVersionProposed = false;

  constructor(parts: PublisherParts) {
    this.#parts = parts;
  }

  /** Something was applied or the leader changed: look whether there is something to do. */
  poke(): void {
    this.#setVersion();
    if (this.#isPublished) return;
    // Without a leader the state may be an old one: nobody is served from it.
    const self = this.#parts.cluster().member(this.#parts.selfId);
    if (self === undefined || !this.#parts.hasLeader()) return;
    const isCurrent =
      self.name === this.#parts.name && sameList(self.clientUrls, this.#parts.clientUrls);
    if (isCurrent) {
      this.#isPublished = true;
      this.#parts.published();
      return;
    }
    if (this.#isProposing) return;
    this.#isProposing = true;
    const body = ClusterMemberAttrSetRequest.encode({
      member_ID: this.#parts.selfId,
      member_attributes: { name: this.#parts.name, client_urls: [...this.#parts.clientUrls] },
    }).finish();
    this.#parts.propose(RequestField.clusterMemberAttrSet, body, () => {
      this.#parts.clock.after(retryMs, () => {
        this.#isProposing = false;
        this.poke();
      });
    });
  }

  #setVersion(): void {
    if (!this.#parts.isLeader() || this.#isVersionProposed) return;
    if (this.#parts.cluster().clusterVersion() === clusterVersion) return;
    this.#isVersionProposed = true;
    const body = ClusterVersionSetRequest.encode({ ver: clusterVersion }).finish();
    this.#parts.propose(RequestField.clusterVersionSet, body, () => {
      this.#parts.clock.after(retryMs, () => {
        this.#isVersionProposed = false;
      });
    });
  }
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item, place) => item === b[place]);
}
