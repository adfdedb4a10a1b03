/** Logs which members were added, removed, promoted or moved, and counts these changes. */
import type { Platform } from "../../platform/platform.js";
import type { MemberRecord } from "../../state/types.js";

/** How the membership changed. "updated": other peer URLs. */
export type MemberChange = "added" | "removed" | "promoted" | "updated";

export class MemberNews {
  readonly #log: Platform["log"];
  #known: readonly MemberRecord[];
  readonly #counts = new Map<MemberChange, number>();

  /** `known`: the members that this member knows when it starts. */
  constructor(log: Platform["log"], known: readonly MemberRecord[]) {
    this.#log = log;
    this.#known = known;
  }

  /** How often each kind of change occurred; contains only kinds that did. */
  counts(): ReadonlyMap<MemberChange, number> {
    return this.#counts;
  }

  /** Call when the membership may have changed. */
  look(members: readonly MemberRecord[]): void {
    const before = new Map(this.#known.map((member) => [member.id, member]));
    this.#known = members;
    for (const member of members) {
      const old = before.get(member.id);
      before.delete(member.id);
      if (old === undefined) this.#tell("added", "added member", member);
      else if (old.isLearner && !member.isLearner)
        this.#tell("promoted", "promoted member", member);
      else if (old.peerUrls.join() !== member.peerUrls.join()) {
        this.#tell("updated", "updated member", member);
      }
    }
    for (const gone of before.values()) this.#tell("removed", "removed member", gone);
  }

  #tell(change: MemberChange, message: string, member: MemberRecord): void {
    this.#counts.set(change, (this.#counts.get(change) ?? 0) + 1);
    this.#log("info", message, {
      "remote-peer-id": member.id.toString(16),
      "peer-urls": member.peerUrls.join(","),
      "is-learner": member.isLearner,
      ...(member.name === "" ? {} : { name: member.name }),
    });
  }
}
