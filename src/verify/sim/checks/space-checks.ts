/**
 * Checks that the cluster agrees on the alarm NOSPACE (N). No entry that grows the store is applied
 * while the alarm is in the state. A client is refused for space only if the alarm was in force at
 * some moment of its request, or if the member that it asked was over its quota.
 */
import { KvError, reasonOfText } from "../../../base/errors.js";
import { type Entry, EntryType } from "../../../raft/types.js";
import type { Applied } from "../../../state/types.js";
import { openRequest } from "../../../wire/internal-request.js";
import { RequestField } from "../../../wire/proposal.js";
import type { Operation } from "../../history/types.js";
import type { SimNode } from "../sim-node.js";
import type { Check, CheckWorld } from "./check.js";

export class SpaceChecks implements Check {
  readonly #world: CheckWorld;
  /** The last entry that somebody applied, and whether the alarm is in force after it. */
  #index = 0;
  #isAlarmed = false;
  /** When the alarm was last seen to end. It ended at some moment before. */
  #endedUs = -1;

  constructor(world: CheckWorld) {
    this.#world = world;
  }

  applied(node: SimNode, entry: Entry, { outcome }: Applied): void {
    if (entry.index <= this.#index || node.member === undefined || node.isInQuarantine()) return;
    const isNext = entry.index === this.#index + 1;
    this.#index = entry.index;
    const isAlarmed = node.member.machine.alarms().some(({ alarm }) => alarm === "NOSPACE");
    // The alarm in force before this entry is known only if all entries before it were seen.
    if (isNext && this.#isAlarmed && isAlarmed && !(outcome instanceof KvError) && grows(entry)) {
      this.#world.report("N", `entry ${entry.index} grows the store under NOSPACE`, node);
    }
    if (this.#isAlarmed && !isAlarmed) this.#endedUs = this.#world.cluster.clock.nowUs();
    this.#isAlarmed = isAlarmed;
  }

  answered({ outcome, callUs, member }: Operation): void {
    if (outcome.kind !== "refused" || reasonOfText(outcome.error) !== "noSpace") return;
    if (this.#isAlarmed || this.#endedUs >= callUs) return;
    const node = this.#world.cluster.nodes.find(({ name }) => name === member);
    if (node === undefined || node.overQuotaUntilUs >= callUs) return;
    this.#world.report("N", `${member} refuses for space after the alarm had ended`, node);
  }
}

/**
 * True for a put or a grant. Transactions are left out: whether one puts depends on its
 * comparisons.
 */
function grows(entry: Entry): boolean {
  if (entry.type !== EntryType.normal || entry.data.length === 0) return false;
  const { field } = openRequest(entry.data);
  return field === RequestField.put || field === RequestField.leaseGrant;
}
