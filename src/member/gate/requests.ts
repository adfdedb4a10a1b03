/** What the rules of admission know of a request. */
import type { ConfChangeRequest } from "../../wire/gen/internal.js";
import type { Proposal } from "../../wire/proposal.js";

/** Who asks: the metadata of the call, read only by the rules that need it. */
export interface Client {
  /** First value of a metadata key in lower case; undefined: the client did not send it. */
  metadata(name: string): string | undefined;
}

/** Stands for the client when this member, another member or a page asks: it sends no metadata. */
export const noClient: Client = { metadata: () => undefined };

export interface ReadRequest {
  readonly client: Client;
  /** True: applied state is enough, and no read barrier is needed (etcd's "serializable"). */
  readonly isLocal: boolean;
}

/** A request for the log. */
export interface WriteRequest extends Proposal {
  readonly client: Client;
}

/** A change of the membership, without the header that names the waiting proposal. */
export type Change = Omit<ConfChangeRequest, "header">;

/** A change of the membership with the client that asks for it. */
export interface ChangeRequest {
  readonly client: Client;
  readonly change: Change;
}
