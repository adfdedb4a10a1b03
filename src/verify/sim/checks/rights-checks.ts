/**
 * Checks the rights of every user at every moment (A). A member may show a key only to a caller
 * that had the right to read it, at an index that the member had applied while it served the call.
 * For a watch this is the index at the moment when the member sends. A user must have had the right
 * to write what its entries change.
 */
import { KvError } from "../../../base/errors.js";
import { type Entry, EntryType } from "../../../raft/types.js";
import type { Applied } from "../../../state/types.js";
import {
  DeleteRangeRequest,
  PutRequest,
  type RequestOp,
  TxnRequest,
} from "../../../wire/gen/rpc.js";
import { type OpenedRequest, openRequest } from "../../../wire/internal-request.js";
import { RequestField } from "../../../wire/proposal.js";
import type { ShownToUser, UserClaim } from "../clients/user-clients.js";
import type { SimNode } from "../sim-node.js";
import type { Check, CheckWorld } from "./check.js";
import { mayUse, type Range, RightsModel, type RightsVersion, rangeFrom } from "./rights-model.js";

const justKey = new Uint8Array(0);

export class RightsChecks implements Check {
  readonly #world: CheckWorld;
  readonly #model = new RightsModel();
  /** The last entry that the model has. 0: none yet. */
  #index = 0;
  /** An entry was applied unseen, in a turn that replaced the state. */
  #isBlind = false;

  constructor(world: CheckWorld) {
    this.#world = world;
  }

  applied(node: SimNode, entry: Entry, { outcome }: Applied): void {
    // A member in quarantine may have the users of an older state. Another member has them right.
    if (node.isWrong || node.isInQuarantine()) return;
    if (entry.index <= this.#index || this.#isBlind) return;
    if (this.#index > 0 && entry.index > this.#index + 1) this.#isBlind = true;
    this.#index = entry.index;
    if (entry.type !== EntryType.normal || entry.data.length === 0) return;
    if (outcome instanceof KvError) return;
    const request = openRequest(entry.data);
    if (!this.#mayChange(request)) {
      const text = `entry ${entry.index} of user "${request.username}" takes effect without the right`;
      this.#world.report("A", text, node);
    }
    this.#model.apply(entry.index, request);
  }

  shown(node: SimNode, { claim, keys, fromIndex, toIndex }: ShownToUser): void {
    if (this.#isBlind || toIndex > this.#index) return;
    const versions = this.#model.between(claim.isWatch === true ? toIndex : fromIndex, toIndex);
    const isRight = (version: RightsVersion): boolean =>
      !version.isEnabled ||
      keys.every((key) => isCaller(version, claim) && mayRead(version, claim, key));
    if (versions.some(isRight)) return;
    const what = claim.isWatch === true ? "an event of" : "an answer with";
    const text = `${node.name} sends ${claim.user ?? "nobody"} ${what} ${keys.join(", ")} without the right`;
    this.#world.report("A", `${text} at index ${fromIndex} to ${toIndex}`, node);
  }

  /** Requests of members themselves have no user: they are no writes of keys. */
  #mayChange(request: OpenedRequest): boolean {
    const version = this.#model.now();
    if (!version.isEnabled) return true;
    const { field, username, authRevision } = request;
    if (field >= RequestField.authEnable && field <= RequestField.authRoleRevokePermission) {
      const isLogin = field === RequestField.authenticate;
      return isLogin || version.users.get(username)?.has("root") === true;
    }
    const used = usedBy(request);
    if (used.length === 0) return true;
    if (authRevision < version.revision) return false;
    return used.every(({ range, right }) => mayUse(version, username, range, right));
  }
}

/** A token counts until its user ends, or all users do. */
function isCaller({ ended }: RightsVersion, { user, loginIndex, isWatch }: UserClaim): boolean {
  if (user === undefined) return false;
  if (loginIndex === undefined || isWatch === true) return true;
  return loginIndex > (ended.get(user) ?? 0) && loginIndex > (ended.get("") ?? 0);
}

function mayRead(version: RightsVersion, { user = "" }: UserClaim, key: string): boolean {
  return mayUse(version, user, { key, end: undefined }, "read");
}

interface Use {
  readonly range: Range;
  readonly right: "read" | "write";
}

function usedBy({ field, body }: OpenedRequest): readonly Use[] {
  switch (field) {
    case RequestField.put:
      return [{ range: rangeFrom(PutRequest.decode(body).key, justKey), right: "write" }];
    case RequestField.deleteRange: {
      const { key, range_end } = DeleteRangeRequest.decode(body);
      return [{ range: rangeFrom(key, range_end), right: "write" }];
    }
    case RequestField.txn: {
      const { compare, success, failure } = TxnRequest.decode(body);
      const compared = compare.map(({ key, range_end }) => rangeFrom(key, range_end));
      const read = compared.map((range) => ({ range, right: "read" }) as const);
      return [...read, ...[...success, ...failure].flatMap(usedByOp)];
    }
    default:
      return [];
  }
}

function usedByOp({ request }: RequestOp): readonly Use[] {
  switch (request?.$case) {
    case "request_range":
      return [{ range: rangeFrom(request.value.key, request.value.range_end), right: "read" }];
    case "request_put":
      return [{ range: rangeFrom(request.value.key, justKey), right: "write" }];
    case "request_delete_range":
      return [{ range: rangeFrom(request.value.key, request.value.range_end), right: "write" }];
    default:
      return [];
  }
}
